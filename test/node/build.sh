#!/bin/sh
# Builds the kubelet, containerd and the CNI plug-ins of test/node from the Go module proxy, locked by the go.sum files here, into a
# folder named by their hash, beside the control plane's. Cold it takes about 5 minutes of two cores; then nothing.
# --print: prints the folder. Exits with 69 where a tool is missing, and says which.
set -eu
cd "$(dirname "$0")"

for tool in go runc unshare ip tar; do
  if ! command -v "$tool" >/dev/null; then
    echo "A real node needs $tool, which is not on the PATH: install it (runc, iproute2, util-linux; https://go.dev/dl/)" >&2
    exit 69
  fi
done
if [ "$(id -u)" != 0 ]; then
  echo 'A real node needs root, for containers and for a network of its own: run it as root' >&2
  exit 69
fi
# shellcheck disable=SC2046 -- a list of names
hash=$(git hash-object build.sh $(echo */go.*) | git hash-object --stdin | cut -c1-16)
dir=${XDG_CACHE_HOME:-$HOME/.cache}/watchchain/node/$hash

if [ ! -e "$dir/complete" ]; then
  echo "Building the kubelet and containerd into $dir: 5 minutes the first time" >&2
  part=$dir.$$
  trap 'rm -rf "$part"' EXIT
  mkdir -p "$part"
  build() {
    (cd "$1" && shift && for program in "$@"; do go build -buildvcs=false -trimpath -ldflags="-s -w $flags" -o "$part/" "$program"; done)
  }
  flags="-X k8s.io/component-base/version.gitVersion=$(cd kubelet && go list -m -f '{{.Version}}' k8s.io/kubernetes)"
  build kubelet k8s.io/kubernetes/cmd/kubelet
  flags=
  containerd=github.com/containerd/containerd/v2/cmd
  plugins=github.com/containernetworking/plugins/plugins
  build containerd "$containerd/containerd" "$containerd/containerd-shim-runc-v2" "$containerd/ctr" "$plugins/main/ptp" "$plugins/ipam/host-local"
  touch "$part/complete"
  mv "$part" "$dir" 2>/dev/null || [ -e "$dir/complete" ]
fi
if [ "${1-}" = --print ]; then echo "$dir"; fi
