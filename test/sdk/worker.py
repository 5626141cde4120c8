"""A worker process that runs the functions with the Python SDK; see worker.mjs."""

import asyncio
import json
import logging
import os
import sys
import time
from datetime import timedelta

from resonate.context import Context
from resonate.resonate import Resonate
from resonate.retry import Constant, Never
from resonate_pg import PostgresConnection

config = json.loads(sys.argv[1])


def tell(**message):
    print(json.dumps(message), flush=True)


class Complaints(logging.Handler):
    """Tells the parent what the SDK warns of."""

    def emit(self, record):
        tell(level="warn", message=record.getMessage())


def note(what):
    """Appends a line to the journal, in one write."""
    with open(config["journal"], "a", encoding="utf-8") as journal:
        journal.write(json.dumps({"worker": config["name"], "what": what}) + "\n")


def remote(ctx):
    return ctx.options(target=config["group"])


# ---- the steps


async def step(ctx: Context, workflow: str, number: int, gate: str | None) -> int:
    note(f"{workflow} begins {number}")
    while gate and not os.path.exists(os.path.join(config["gates"], gate)):
        await asyncio.sleep(0.02)
    note(f"{workflow} ends {number}")
    return number


async def work(ctx: Context, workflow: str, milliseconds: int) -> int:
    note(f"{workflow} works")
    await asyncio.sleep(milliseconds / 1000)
    return milliseconds


async def announce(ctx: Context, workflow: str, promise: str) -> None:
    note(f"{workflow} awaits {promise}")


async def charge(ctx: Context, workflow: str, amount: int) -> int:
    note(f"{workflow} charges")
    return amount


async def now(ctx: Context) -> int:
    return int(time.time() * 1000)


async def square(ctx: Context, number: int) -> int:
    return number * number


async def tick(ctx: Context, name: str) -> str:
    note(f"{name} ticks")
    return name


failures: dict[str, int] = {}


async def fail_twice(ctx: Context, workflow: str) -> int:
    count = failures[workflow] = failures.get(workflow, 0) + 1
    note(f"{workflow} tries")
    if count <= 2:
        raise RuntimeError(f"failure {count} of 2")
    return count


async def fail(ctx: Context) -> None:
    raise ValueError("failed on purpose")


# ---- the workflows


async def fib(ctx: Context, n: int) -> int:
    """Half of the tree goes to other processes, the other half stays."""
    total = n
    if n >= 2:
        left = remote(ctx).rpc("fib", n - 1)
        right = ctx.run(fib, n - 2)
        total = await left + await right
    note("fib ends")
    return total


async def fan(ctx: Context, n: int) -> int:
    calls = []
    for i in range(1, n + 1):
        calls.append(remote(ctx).rpc("square", i))
        calls.append(ctx.run(square, i))
    return sum([await call for call in calls])


async def nap(ctx: Context, milliseconds: int, times: int) -> int:
    start = await ctx.run(now)
    for _ in range(times):
        await ctx.sleep(timedelta(milliseconds=milliseconds))
    return await ctx.run(now) - start


async def approval(ctx: Context) -> dict:
    promise = ctx.promise()
    await ctx.run(announce, ctx.info.id, await promise.id())
    return {"decision": await promise}


async def launch(ctx: Context) -> str:
    return await remote(ctx).detached("approval")


async def steps(ctx: Context, count: int, gated: int, gate: str) -> list[int]:
    return [
        await ctx.run(step, ctx.info.id, i, gate if i == gated else None)
        for i in range(1, count + 1)
    ]


async def long_step(ctx: Context, milliseconds: int) -> int:
    return await ctx.run(work, ctx.info.id, milliseconds)


async def order(ctx: Context, number: int) -> int:
    amount = await ctx.run(charge, ctx.info.id, number)
    return amount + await remote(ctx).rpc("square", number)


async def broken(ctx: Context) -> None:
    await ctx.options(retry_policy=Never()).run(fail)


async def catching(ctx: Context) -> str:
    try:
        await remote(ctx).rpc("broken")
    except Exception as error:
        return f"caught: {error}"
    return "nothing caught"


async def flaky(ctx: Context) -> int:
    quickly = ctx.options(retry_policy=Constant(delay=0, max_retries=5))
    return await quickly.run(fail_twice, ctx.info.id)


functions = {
    "square": square,
    "tick": tick,
    "charge": charge,
    "fib": fib,
    "fan": fan,
    "nap": nap,
    "approval": approval,
    "launch": launch,
    "steps": steps,
    "longStep": long_step,
    "order": order,
    "broken": broken,
    "catching": catching,
    "flaky": flaky,
}

# ---- what the parent asks for


class Commands:
    """What the parent can ask for, by name."""

    def __init__(self, resonate, network):
        self.resonate = resonate
        self.network = network
        self.handles = {}

    async def run(self, id, func, args):
        return await self.resonate.run(id, functions[func], *args).result()

    async def begin(self, id, func, args, target, timeout=None):
        duration = timeout and timedelta(milliseconds=timeout)
        options = self.resonate.options(target=target, timeout=duration)
        self.handles[id] = options.rpc(id, func, *args)
        await self.handles[id].id()

    async def result(self, id):
        handle = self.handles.get(id) or await self.resonate.get(id)
        return await handle.result()

    async def offer(self, id, version):
        task = {"id": id, "version": version}
        message = {"kind": "execute", "head": {}, "data": {"task": task}}
        self.network._deliver(json.dumps(message))

    async def schedule(self, id, cron, func, args, target):
        options = self.resonate.options(target=target)
        await options.schedule(id, cron, func, args=tuple(args))

    async def scheduled(self, id):
        return (await self.resonate.schedules.get(id)).cron

    async def unschedule(self, id):
        await self.resonate.schedules.delete(id)


async def obey(commands, command):
    call = command.pop("call")
    try:
        tell(call=call, result=await getattr(commands, command.pop("do"))(**command))
    except Exception as error:
        tell(call=call, failure=str(error))


async def main():
    logging.getLogger().addHandler(Complaints(level=logging.WARNING))
    network = PostgresConnection(config["connectionString"], group=config["group"])
    ttl = timedelta(milliseconds=config["ttl"]) if "ttl" in config else None
    resonate = Resonate(network=network, group=config["group"], ttl=ttl)
    commands = Commands(resonate, network)
    running = set()
    reader = asyncio.StreamReader()

    for name, function in functions.items():
        resonate.register(function, name=name)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    while line := await reader.readline():
        task = asyncio.create_task(obey(commands, json.loads(line)))
        running.add(task)
        task.add_done_callback(running.discard)
    # The parent has gone: at once, as if killed.
    os._exit(0)


asyncio.run(main())
