import asyncio


async def handle_event(watcher, event, config):
    await asyncio.sleep(0)
    return "later saw " + event['object']['metadata']['name'], "info"
