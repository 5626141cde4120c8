// The workflows, once for each engine, and the functions that both use.
//
// A worker provides three dependencies: "journal", which appends a line to a
// file that outlives all processes and the server, so that it tells what was
// really executed; "group", whose workers get the remote calls; and "gates", a
// directory where a test opens a gate by making a file.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import { Constant } from "@resonatehq/sdk";

const remote = (ctx) => ctx.options({ target: ctx.getDependency("group") });
const quickly = (ctx) =>
	ctx.options({ retryPolicy: new Constant({ delay: 50, maxRetries: 5 }) });

function note(ctx, what) {
	ctx.getDependency("journal")(what);
}

// A step with an effect, which waits at its gate if it has one.
async function step(ctx, workflow, number, gate) {
	note(ctx, `${workflow} begins ${number}`);
	if (gate) {
		const file = join(ctx.getDependency("gates"), gate);
		while (!existsSync(file)) {
			await delay(20);
		}
	}
	note(ctx, `${workflow} ends ${number}`);
	return number;
}

async function work(ctx, workflow, milliseconds) {
	note(ctx, `${workflow} works`);
	await delay(milliseconds);
	return milliseconds;
}

function announce(ctx, workflow, promise) {
	note(ctx, `${workflow} awaits ${promise}`);
}

function charge(ctx, workflow, amount) {
	note(ctx, `${workflow} charges`);
	return amount;
}

function square(ctx, number) {
	return number * number;
}

function tick(ctx, name) {
	note(ctx, `${name} ticks`);
	return name;
}

const failures = new Map();

function failTwice(ctx, workflow) {
	const count = (failures.get(workflow) ?? 0) + 1;

	failures.set(workflow, count);
	note(ctx, `${workflow} tries`);
	if (count <= 2) {
		throw new Error(`failure ${count} of 2`);
	}
	return count;
}

function fail() {
	throw new RangeError("failed on purpose");
}

const shared = { square, tick, charge };

export const generator = {
	...shared,

	// Half of the tree goes to other processes, the other half stays.
	*fib(ctx, n) {
		let sum = n;

		if (n >= 2) {
			const left = yield* ctx.beginRpc("fib", n - 1, remote(ctx));
			const right = yield* ctx.beginRun("fib", n - 2);

			sum = (yield* left) + (yield* right);
		}
		note(ctx, "fib ends");
		return sum;
	},

	*fan(ctx, n) {
		const futures = [];
		let sum = 0;

		for (let i = 1; i <= n; i++) {
			futures.push(yield* ctx.beginRpc("square", i, remote(ctx)));
			futures.push(yield* ctx.beginRun("square", i));
		}
		for (const future of futures) {
			sum += yield* future;
		}
		return sum;
	},

	*nap(ctx, milliseconds, times) {
		const start = yield* ctx.date.now();

		for (let i = 0; i < times; i++) {
			yield* ctx.sleep(milliseconds);
		}
		return (yield* ctx.date.now()) - start;
	},

	*approval(ctx) {
		const promise = yield* ctx.promise();

		yield* ctx.run(announce, ctx.id, promise.id);
		return { decision: yield* promise };
	},

	*launch(ctx) {
		const child = yield* ctx.detached("approval", remote(ctx));

		return child.id;
	},

	*steps(ctx, count, gated, gate) {
		const done = [];

		for (let i = 1; i <= count; i++) {
			done.push(yield* ctx.run(step, ctx.id, i, i === gated ? gate : null));
		}
		return done;
	},

	*longStep(ctx, milliseconds) {
		return yield* ctx.run(work, ctx.id, milliseconds);
	},

	*order(ctx, number) {
		const amount = yield* ctx.run(charge, ctx.id, number);

		return amount + (yield* ctx.rpc("square", number, remote(ctx)));
	},

	*broken(ctx) {
		yield* ctx.run(fail, ctx.options({ nonRetryableErrors: [RangeError] }));
	},

	*catching(ctx) {
		try {
			yield* ctx.rpc("broken", remote(ctx));
		} catch (error) {
			return `caught: ${error.message}`;
		}
	},

	*flaky(ctx) {
		return yield* ctx.run(failTwice, ctx.id, quickly(ctx));
	},
};

export const async = {
	...shared,

	async fib(ctx, n) {
		let sum = n;

		if (n >= 2) {
			const left = ctx.rpc("fib", n - 1, remote(ctx));
			const right = ctx.run("fib", n - 2);

			sum = (await left) + (await right);
		}
		note(ctx, "fib ends");
		return sum;
	},

	async fan(ctx, n) {
		const calls = [];
		let sum = 0;

		for (let i = 1; i <= n; i++) {
			calls.push(ctx.rpc("square", i, remote(ctx)));
			calls.push(ctx.run("square", i));
		}
		for (const call of calls) {
			sum += await call;
		}
		return sum;
	},

	async nap(ctx, milliseconds, times) {
		const start = await ctx.date.now();

		for (let i = 0; i < times; i++) {
			await ctx.sleep(milliseconds);
		}
		return (await ctx.date.now()) - start;
	},

	async approval(ctx) {
		const promise = ctx.promise();

		await ctx.run(announce, ctx.id, promise.id);
		return { decision: await promise };
	},

	async launch(ctx) {
		const child = await ctx.detached("approval", remote(ctx));

		return child.id;
	},

	async steps(ctx, count, gated, gate) {
		const done = [];

		for (let i = 1; i <= count; i++) {
			done.push(await ctx.run(step, ctx.id, i, i === gated ? gate : null));
		}
		return done;
	},

	async longStep(ctx, milliseconds) {
		return await ctx.run(work, ctx.id, milliseconds);
	},

	async order(ctx, number) {
		const amount = await ctx.run(charge, ctx.id, number);

		return amount + (await ctx.rpc("square", number, remote(ctx)));
	},

	async broken(ctx) {
		await ctx.run(fail);
	},

	async catching(ctx) {
		try {
			await ctx.rpc("broken", remote(ctx));
		} catch (error) {
			return `caught: ${error.message}`;
		}
	},

	async flaky(ctx) {
		return await ctx.run(failTwice, ctx.id, quickly(ctx));
	},
};
