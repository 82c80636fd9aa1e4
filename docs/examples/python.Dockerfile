# The service with Python and the Event Controller's plug-ins; its own image has no Python: docker build -f python.Dockerfile -t my/watchchain .
FROM watchchain AS watchchain
FROM node:24-slim
RUN apt-get update && apt-get install --yes --no-install-recommends python3 && rm -rf /var/lib/apt/lists/*
COPY --from=watchchain /app /app
COPY plugins /plugins
USER 65532:65532
ENV NODE_ENV=production PYTHONPATH=/plugins
# As in the image itself, but the service may also start programs and read /plugins.
ENTRYPOINT ["/usr/local/bin/node", "--permission", "--disable-warning=SecurityWarning", "--allow-worker", "--allow-child-process", "--allow-fs-read=/app/", "--allow-fs-read=/plugins/", "--allow-fs-read=/etc/watchchain/", "--allow-fs-read=/etc/secret/", "--allow-fs-read=/var/run/secrets/", "--allow-fs-read=/var/lib/watchchain*", "--allow-fs-write=/var/lib/watchchain*", "--disallow-code-generation-from-strings", "--disable-proto=delete", "/app/dist/src/main.js"]
CMD ["--compat", "event-controller", "--state=/var/lib/watchchain", "--listen=:8080"]
