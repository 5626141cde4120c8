// What the SDK uses and Node before version 22 lacks.  Preloaded with --import,
// so that the SDK itself stays as published; does nothing where all is there.

import { webcrypto } from "node:crypto";

// Node 22.
Promise.withResolvers ??= function withResolvers() {
	let resolve, reject;
	const promise = new this((fulfil, refuse) => {
		resolve = fulfil;
		reject = refuse;
	});
	return { promise, resolve, reject };
};

// Node 19; before, only behind a flag.
globalThis.crypto ??= webcrypto;
