import logging


def handle_event(watcher, event, config):
    watcher.log("[ROUTE {0}]".format(event['type']), "INFO")
    logging.debug("a detail")
    namespace = watcher.config.k8s_namespace
    has_token = bool(watcher.config.k8s_token)
    return "third in {0} at {1}, token {2}, {3} settings".format(
        namespace, watcher.config.k8s_endpoint.split(':')[0], has_token, len(config)), "INFO"
