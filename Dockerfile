# The build needs a shell and npm; what runs needs neither. test/dockerfile.test.ts follows these steps.
FROM node:24-slim AS build
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY tsconfig.json tsconfig.build.json ./
COPY src src
COPY handlers handlers
RUN npm run build && npm prune --omit=dev

FROM node:24-slim
# Blocks from 64 KB on go back to the system when they are freed.
ENV NODE_ENV=production MALLOC_MMAP_THRESHOLD_=65536
WORKDIR /app
COPY --from=build /build/package.json package.json
COPY --from=build /build/node_modules node_modules
COPY --from=build /build/dist dist
# `nonroot`, by number, so that Kubernetes can see that it is not root.
USER 65532:65532
# /data is where kubernetes-event-exporter's charts mount its configuration.
# Defence in depth: see SECURITY.md. What else has to be read or written is added by NODE_OPTIONS, such as --allow-fs-read=/certs/.
ENTRYPOINT ["node", "--permission", "--disable-warning=SecurityWarning", "--allow-worker", "--allow-fs-read=/app/", "--allow-fs-read=/etc/watchchain/", "--allow-fs-read=/data/", "--allow-fs-read=/var/run/secrets/", "--allow-fs-read=/var/lib/watchchain*", "--allow-fs-write=/var/lib/watchchain*", "--disallow-code-generation-from-strings", "--disable-proto=delete", "/app/dist/src/main.js"]
CMD ["run", "--config=/etc/watchchain/config.toml", "--state=/var/lib/watchchain", "--listen=0.0.0.0:8080"]
