def handle_event(event, config):
    return "second says {0} to {1}".format(config.get('greeting', 'nothing'), event['object']['metadata']['name']), "WARNING"
