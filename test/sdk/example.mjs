// A worker and a client in one process.  Start as many as you like: they share
// the work, and what one of them leaves unfinished, another one finishes.

import { Resonate } from "@resonatehq/sdk";
import { PostgresNetwork } from "@resonatehq/sdk/postgres";

const network = new PostgresNetwork({ connectionString: process.env.DATABASE_URL });
const resonate = new Resonate({ network });

resonate.register("welcome", function* (ctx, name) {
	// A step: its result is stored, and it does not run again.
	const greeting = yield* ctx.run(() => `Hello ${name}`);

	// A promise in the database, where no process waits for it.
	yield* ctx.sleep(500);

	// A call, for any worker of the group "default".
	return yield* ctx.rpc("shout", greeting);
});

resonate.register("shout", (ctx, text) => `${text.toUpperCase()}!`);

// The id makes it one execution, however often it is asked for.
console.log(await resonate.run("welcome-world", "welcome", "world"));
await resonate.stop();
