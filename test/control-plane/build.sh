#!/bin/sh
# Builds etcd, kube-apiserver, kube-controller-manager, kube-scheduler, kubectl, kwok, helm, kubeconform and promtool from the Go module
# proxy, locked by the go.sum files here, into a folder named by their hash. Cold it takes about 15 minutes of two cores; then nothing.
# KUBERNETES=1.34: an older minor version, of those that have a kubernetes-VERSION.mod here. Default: that of go.mod, the newest.
# --print: prints the folder. Exits with 69 where a tool is missing, and says which.
set -eu
cd "$(dirname "$0")"

modfile=go.mod
if [ -n "${KUBERNETES-}" ]; then
  modfile=kubernetes-$KUBERNETES.mod
  if [ ! -e "$modfile" ]; then
    echo "KUBERNETES=$KUBERNETES: there are$(ls kubernetes-*.mod | sed -n 's/kubernetes-\(.*\).mod/ \1/p' | tr '\n' ','| sed 's/,$//'), and the newest without it" >&2
    exit 1
  fi
fi
inputs="$modfile ${modfile%mod}sum main.go $(echo kwok/go.* helm/go.* kubeconform/go.* promtool/go.*) build.sh"
# shellcheck disable=SC2086 -- a list of names
hash=$(git hash-object $inputs | git hash-object --stdin | cut -c1-16)
dir=${XDG_CACHE_HOME:-$HOME/.cache}/watchchain/control-plane/$hash

if [ ! -e "$dir/complete" ]; then
  if ! command -v go >/dev/null; then
    echo 'The real control plane is built with Go 1.26 or later, and go is not on the PATH: get it from https://go.dev/dl/' >&2
    exit 69
  fi
  want=$(sed -n 's/^go //p' go.mod)
  # A Go from 1.21 up fetches the version that go.mod asks for by itself.
  if ! go list -m >/dev/null 2>&1; then
    echo "The real control plane needs Go $want; this is $(GOTOOLCHAIN=local go env GOVERSION): get it from https://go.dev/dl/" >&2
    exit 69
  fi
  echo "Building the control plane into $dir: 15 minutes the first time" >&2
  part=$dir.$$
  trap 'rm -rf "$part"' EXIT
  mkdir -p "$part/stages/node" "$part/stages/pod"
  # Their releases are told their version like this, and helm asks the API server for it.
  version=$(go list -modfile="$modfile" -m -f '{{.Version}}' k8s.io/kubernetes)
  go build -modfile="$modfile" -buildvcs=false -trimpath -ldflags="-s -w -X k8s.io/component-base/version.gitVersion=$version" -o "$part/control-plane" .
  (cd kwok && go build -buildvcs=false -o "$part/kwok" sigs.k8s.io/kwok/cmd/kwok)
  (cd helm && go build -buildvcs=false -trimpath -ldflags='-s -w' -o "$part/helm" helm.sh/helm/v4/cmd/helm)
  (cd kubeconform && go build -buildvcs=false -trimpath -ldflags='-s -w' -o "$part/kubeconform" github.com/yannh/kubeconform/cmd/kubeconform)
  # Without the ways to find targets in clouds, which are most of it.
  (cd promtool && go build -buildvcs=false -trimpath -tags=remove_all_sd -ldflags='-s -w' -o "$part/promtool" github.com/prometheus/prometheus/cmd/promtool)
  for name in etcd kube-apiserver kube-controller-manager kube-scheduler kubectl; do
    ln -s control-plane "$part/$name"
  done
  # kwok's own stages say how its nodes and pods become ready, and which pods fail; they come with its module.
  stages=$(cd kwok && go list -m -f '{{.Dir}}' sigs.k8s.io/kwok)/kustomize/stage
  cp "$stages"/node/fast/*.yaml "$part/stages/node"
  cp "$stages"/pod/fast/*.yaml "$stages"/pod/chaos/*.yaml "$part/stages/pod"
  chmod -R u+w "$part/stages"
  touch "$part/complete"
  # Two builds at once: the first one in wins.
  mv "$part" "$dir" 2>/dev/null || [ -e "$dir/complete" ]
fi
if [ "${1-}" = --print ]; then echo "$dir"; fi
