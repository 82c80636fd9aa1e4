"""Does what the name of the object says."""
import os
import sys
import time


def handle_event(watcher, event, config):
    what = event['object']['metadata']['name']
    if what == 'throws':
        raise ValueError('no such zone')
    if what == 'returns-nothing':
        return None
    if what == 'exits':
        sys.exit(3)
    if what == 'loops':
        print('round and round', flush=True)
        while True:
            time.sleep(1)
    if what == 'dies':
        os._exit(7)
    if what == 'prints':
        print('x' * 10_000_000)
    if what == 'all-levels':
        for level in ('DEBUG', 'INFO', 'WARN', 'WARNING', 'ERROR', 'CRITICAL', 'FATAL'):
            watcher.log('said at ' + level, level)
    if what == 'odd-level':
        return "an odd level", "FOO"
    return "fine: " + what, "INFO"
