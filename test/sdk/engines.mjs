// What differs between the execution engines and the versions of the SDK, for
// those who start workflows and for those who run them.

import * as functions from "./functions.mjs";

const generator = {
	functions: functions.generator,
	begin: (resonate, id, func, args, options) =>
		resonate.beginRpc(id, func, ...args, resonate.options(options)),
	run: (resonate, id, func, args) => resonate.run(id, func, ...args),
};

const async = {
	functions: functions.async,
	begin: (resonate, id, func, args, options) =>
		resonate.rpc(id, func, ...args, resonate.options(options)),
	run: async (resonate, id, func, args) =>
		(await resonate.run(id, func, ...args)).result(),
};

export const engines = {
	generator: {
		...generator,
		sdk: "@resonatehq/sdk",
		network: "@resonatehq/sdk/postgres",
	},
	async: { ...async, sdk: "@resonatehq/sdk/async", network: "@resonatehq/sdk/postgres" },
	"next-generator": { ...generator, sdk: "sdk-next", network: "sdk-next/postgres" },
	"next-async": { ...async, sdk: "sdk-next/async", network: "sdk-next/postgres" },
};

// A client of the SDK, on the database.  Does not wait until it is connected,
// because the SDK does not offer to.
export async function connect({ engine, group, connectionString, logger, ttl }) {
	const { Resonate } = await import(engines[engine].sdk);
	const { PostgresNetwork } = await import(engines[engine].network);
	const network = new PostgresNetwork({ connectionString, group, logger });

	return new Resonate({ network, ttl, logger });
}
