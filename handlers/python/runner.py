"""Runs a plug-in of the OpenShift Event Controller for watchchain: a module plugin_NAME with handle_event().

Reads one line of JSON that says which plug-in it is, then one for each change, and writes one line for each answer, as
docs/plugin-contract.schema.json says. Standard library only. Whatever the plug-in prints goes to standard error.
"""
import asyncio
import configparser
import importlib
import inspect
import json
import logging
import os
import sys
import time
import traceback

TYPES = {"added": "ADDED", "updated": "MODIFIED", "deleted": "DELETED", "timer": "MODIFIED"}
CHUNK = 65536
# An answer waits for later ones for at most this long, in seconds.
LONGEST_HOLD = 0.005
MAX_TEXT = 1000


class Records(logging.Handler):
    """What is logged while an event is handled, for the answer to it."""

    def __init__(self):
        super().__init__()
        self.kept = []

    def emit(self, record):
        if len(self.kept) >= 100:
            return
        try:
            message = record.getMessage()
        except Exception:
            # Like Python's own handlers: reported on standard error, and not a failure of the plug-in.
            self.handleError(record)
        else:
            self.kept.append({"message": message[:MAX_TEXT], "level": record.levelname})

    def take(self):
        taken, self.kept = self.kept, []
        return taken


class Config:
    """The settings of the service as attributes: k8s_endpoint, k8s_namespace, k8s_token and so on."""

    def __init__(self, settings, section):
        self._token_file = settings.pop("token_file", None)
        self._section = section
        self.k8s_ca = None
        self.__dict__.update(settings)

    def getPluginConfig(self):
        return self._section

    def __getattr__(self, name):
        # A pod's token is renewed, so it is read on each access.
        if name == "k8s_token" and self.__dict__.get("_token_file"):
            with open(self._token_file, encoding="utf-8") as file:
                return file.read().strip()
        raise AttributeError(name)


class Watcher:
    def __init__(self, config, logger):
        self.config = config
        self.logger = logger

    def log(self, message, level="INFO"):
        number = logging.getLevelName(str(level).upper())
        self.logger.log(number if isinstance(number, int) else logging.INFO, message)


def section_of(values):
    parser = configparser.RawConfigParser()
    parser.read_dict({"plugin": values})
    return parser["plugin"]


def caller_of(handle_event, watcher, config):
    """By its parameters: (watcher, event, config), and before that (event, config) and (event)."""
    kinds = inspect.Parameter
    parameters = list(inspect.signature(handle_event).parameters.values())
    named = [p for p in parameters if p.kind in (kinds.POSITIONAL_ONLY, kinds.POSITIONAL_OR_KEYWORD)]
    takes_any = any(p.kind == kinds.VAR_POSITIONAL for p in parameters)
    if len(named) >= 3 or (takes_any and not (named and "event" in named[0].name)):
        return lambda event: handle_event(watcher, event, config)
    if len(named) == 2 or takes_any:
        return lambda event: handle_event(event, config)
    return lambda event: handle_event(event)


class Runner:
    def __init__(self, greeting):
        sys.path[:0] = [path for path in greeting["path"] if path not in sys.path]
        self.records = Records()
        self.name = greeting["plugin"]
        root = logging.getLogger()
        root.addHandler(self.records)
        root.setLevel(greeting.get("level", "INFO"))
        section = section_of(greeting["section"])
        self.config = Config(dict(greeting["watcher"]), section)
        self.all_namespaces = self.config.__dict__.get("k8s_namespace", "") == ""
        self.problem = None
        try:
            module = importlib.import_module("plugin_" + self.name)
            self.call = caller_of(module.handle_event, Watcher(self.config, logging.getLogger("watcher")), section)
        except (Exception, SystemExit) as error:
            self.problem = "Cannot load plugin_%s: %s" % (self.name, told(error))
        self.records.take()

    def answer(self, request):
        answer = {"id": request["id"]}
        if self.problem is not None:
            answer["error"] = self.problem
        elif "change" in request:
            try:
                answer["notes"] = self.handle(request["change"])
            # SystemExit and CancelledError are not Exceptions, and would end the other answers, too.
            except BaseException as error:
                answer["error"] = told(error)
                answer["notes"] = {"log": self.records.take()}
        return answer

    def handle(self, change):
        manifest = change.get("after") or change.get("before") or {}
        # In the object's own namespace, if all namespaces are watched.
        if self.all_namespaces:
            self.config.k8s_namespace = change.get("namespace", "")
        result = self.call({"type": TYPES[change["action"]], "object": manifest})
        if inspect.isawaitable(result):
            result = asyncio.run(awaited(result))
        if not isinstance(result, (tuple, list)) or len(result) != 2:
            raise TypeError("handle_event() returned %.100r, wanted (message, level)" % (result,))
        message, level = result
        if isinstance(level, int):
            level = logging.getLevelName(level)
        return {"message": str(message)[:MAX_TEXT], "level": str(level)[:MAX_TEXT], "log": self.records.take()}


async def awaited(result):
    return await result


def told(error):
    frames = traceback.extract_tb(error.__traceback__)
    where = " (%s:%s)" % (os.path.basename(frames[-1].filename), frames[-1].lineno) if frames else ""
    try:
        text = str(error)
    except Exception as broken:
        # A mistake in the plug-in's own exception must not end the other answers.
        text = "its __str__() raised %s" % type(broken).__name__
    return ("%s: %s%s" % (type(error).__name__, text, where))[:MAX_TEXT]


def lines(source):
    """Each line with whether another one has come already."""
    rest = b""
    while True:
        chunk = os.read(source, CHUNK)
        if not chunk:
            return
        *whole, rest = (rest + chunk).split(b"\n") if b"\n" in chunk else (rest + chunk,)
        for number, line in enumerate(whole, 1):
            yield line, number < len(whole)


def main():
    # A plug-in's output must not be taken for an answer, and neither it nor a program that it starts may read a question.
    asked, out = os.dup(0), os.dup(1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    # Line buffering: a line shows when it is printed, not after 8 KiB.
    sys.stdout = open(1, "w", buffering=1, encoding=sys.stdout.encoding, errors="backslashreplace", closefd=False)
    source = lines(asked)
    greeting, _ = next(source)
    runner = Runner(json.loads(greeting))
    held, since = [], time.monotonic()
    for line, more in source:
        held.append(json.dumps(runner.answer(json.loads(line)), separators=(",", ":")))
        now = time.monotonic()
        if not more or now - since > LONGEST_HOLD:
            write(out, ("\n".join(held) + "\n").encode())
            held, since = [], now


def write(out, data):
    while data:
        data = data[os.write(out, data):]


if __name__ == "__main__":
    main()
