# The build needs a shell and npm; the final image has only Node, the libraries it is linked with, and the program: no shell, no
# package manager. test/dockerfile.test.ts follows these steps. Nothing here depends on the architecture.
ARG NODE=node:24-slim
FROM ${NODE} AS build
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY tsconfig.json tsconfig.build.json ./
COPY src src
COPY handlers handlers
RUN npm run build && npm prune --omit=dev
# The loader finds the libraries where they are in the build stage. Host names are looked up in /etc/hosts, then by DNS.
RUN mkdir -p runtime/usr/local/bin runtime/etc runtime/tmp runtime/var/lib/watchchain && cp "$(node -p process.execPath)" runtime/usr/local/bin/node && cp -L --parents $(ldd runtime/usr/local/bin/node | sed -n 's|^[^/]*\(/[^ ]*\) (0x.*|\1|p') runtime/ && echo 'nonroot:x:65532:65532::/nonexistent:/nonexistent' > runtime/etc/passwd && echo 'hosts: files dns' > runtime/etc/nsswitch.conf

FROM scratch
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG SOURCE=https://github.com/watchchain/watchchain
LABEL org.opencontainers.image.title="watchchain"
LABEL org.opencontainers.image.description="Tells people what changed in their Kubernetes or OpenShift clusters, where they already look."
LABEL org.opencontainers.image.licenses="Apache-2.0"
LABEL org.opencontainers.image.source="${SOURCE}"
LABEL org.opencontainers.image.version="${VERSION}"
LABEL org.opencontainers.image.revision="${REVISION}"
# A single heap for all threads retains less freed memory.
ENV NODE_ENV=production MALLOC_ARENA_MAX=1
COPY --from=build /build/runtime /
WORKDIR /app
COPY --from=build /build/package.json package.json
COPY config.toml config.toml
COPY --from=build /build/node_modules node_modules
COPY --from=build /build/dist dist
# `nonroot`, as a number, so that Kubernetes can see that it is not root.
USER 65532:65532
# Defence in depth: see SECURITY.md. kubernetes-event-exporter's charts mount its configuration in /data; OpenShift's Pod Watcher
# has its token in /etc/secret. NODE_OPTIONS can allow more, such as --allow-fs-read=/certs/.
ENTRYPOINT ["/usr/local/bin/node", "--permission", "--disable-warning=SecurityWarning", "--allow-worker", "--allow-fs-read=/app/", "--allow-fs-read=/etc/watchchain/", "--allow-fs-read=/data/", "--allow-fs-read=/etc/secret/", "--allow-fs-read=/var/run/secrets/", "--allow-fs-read=/var/lib/watchchain*", "--allow-fs-write=/var/lib/watchchain*", "--disallow-code-generation-from-strings", "--disable-proto=delete", "/app/dist/src/main.js"]
CMD ["run", "--config=/etc/watchchain/config.toml", "--state=/var/lib/watchchain", "--listen=:8080"]
