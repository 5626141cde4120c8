// What the SDK does when a worker or the server is lost.  Leases are short here,
// because a lost worker's work has to wait for their end; but two heartbeats of a
// process on a busy machine must have room in them.

import { decide, withClient } from "./client.mjs";
import { lacks } from "./engines.mjs";
import {
	announced,
	is,
	noted,
	ok,
	openGate,
	part,
	seconds,
	show,
	sql,
	startServer,
	stopServer,
	waitFor,
	waitForNote,
	withWorkers,
	within,
	workersOf,
} from "./harness.mjs";

const LEASE_MS = 6000;
const ORDERS = 100;

// Steps 1 to 3 were complete when the worker was lost, and step 4 was not.
function checkSteps(engine, workflow, when) {
	const runs = (number) => noted(`${workflow} begins ${number}`).length;

	is(
		[1, 2, 3].map(runs),
		[1, 1, 1],
		`${engine}: complete steps do not run again ${when}`,
	);
	is([5, 6].map(runs), [1, 1], `${engine}: later steps run once ${when}`);
}

// A worker is killed in a step; the other one finishes.
export async function checkKill(engine, client) {
	const group = `${engine}-killed`;

	await withWorkers({ engine, group, ttl: LEASE_MS }, async (workers) => {
		await client.begin(group, group, "steps", [6, 4, group]);
		const [{ worker: name }] = await waitForNote(`${group} begins 4`);
		const start = Date.now();

		await workers.find((worker) => worker.config.name === name).stop();
		openGate(group);
		is(
			await client.resultOf(group),
			[1, 2, 3, 4, 5, 6],
			`${engine}: a workflow survives the kill of its worker`,
		);
		const elapsed = Date.now() - start;
		checkSteps(engine, group, "after a kill");
		is(
			[4, 5, 6].flatMap((number) => workersOf(noted(`${group} ends ${number}`))),
			Array(3).fill(workers.find((worker) => !worker.isStopped).config.name),
			`${engine}: the other worker did the rest`,
		);
		show(
			`${engine}: steps() killed in step 4 of 6 on "${name}", ` +
				`done ${seconds(elapsed)} later, with leases of ${seconds(LEASE_MS)}`,
		);
	});
}

// A step may outlast its lease, for the worker renews it.
export async function checkLongStep(engine, client) {
	const group = `${engine}-long`;
	const duration = 2 * LEASE_MS;

	await withWorkers({ engine, group, ttl: LEASE_MS }, async () => {
		is(
			await client.call(group, group, "longStep", [duration]),
			duration,
			`${engine}: a step may be longer than a lease`,
		);
		is(noted(`${group} works`).length, 1, `${engine}: and no other worker gets it`);
		show(
			`${engine}: a step of ${seconds(duration)} with leases of ${seconds(LEASE_MS)}`,
		);
	});
}

// An SDK that is not patient rejects a workflow whose request ends with the
// connection.  What it does not reject must be right.
async function checkOrders(engine, client, group, when) {
	const isPatient = !lacks(engine, "patience");
	const results = await Promise.all(
		Array.from({ length: ORDERS }, (_, i) =>
			client.resultOf(`${group}-order-${i}`).catch((error) => error.message),
		),
	);
	const wrong = results.filter((result, i) => result !== i + i * i);

	ok(
		wrong.every((result) => !isPatient && /network error/.test(result)),
		`${engine}: workflows of all kinds end ${when}`,
		wrong.slice(0, 5).join("\n"),
	);
	if (wrong.length !== 0) {
		show(`${engine}: the SDK rejected ${wrong.length} of ${ORDERS} orders: ${wrong[0]}`);
	}
}

async function areDone(group) {
	return (await sql("SELECT FROM resonate.tasks WHERE starts_with(id, $1)", group))
		.length === 0;
}

// The server goes down while one workflow is in a step, one asleep, one waiting
// for a person, and many are anywhere.  The workers end with their connections,
// as the SDK has it, and a supervisor starts them again.
async function checkRestart(engine, mode, restart) {
	const group = `${engine}-${mode}`;
	const when = `after a restart (${mode})`;
	let promise;

	await withWorkers({ engine, group, ttl: LEASE_MS, isKept: true }, async () => {
		await withClient(engine, async (client) => {
			await client.begin(group, group, "steps", [6, 4, group]);
			await client.begin(group, `${group}-nap`, "nap", [1500, 2]);
			await client.begin(group, `${group}-approval`, "approval");
			await waitForNote(`${group} begins 4`);
			promise = await announced(`${group}-approval`);
			await Promise.all(
				Array.from({ length: ORDERS }, (_, i) =>
					client.begin(group, `${group}-order-${i}`, "order", [i]),
				),
			);
		});
		const start = Date.now();
		await restart();
		openGate(group);
		await decide(promise, '{"ok":true}');
		await withClient(engine, async (client) => {
			is(
				await client.resultOf(group),
				[1, 2, 3, 4, 5, 6],
				`${engine}: steps end ${when}`,
			);
			checkSteps(engine, group, when);
			const slept = await client.resultOf(`${group}-nap`);
			ok(slept >= 3000, `${engine}: sleep ends ${when}`, slept);
			is(
				await client.resultOf(`${group}-approval`),
				{ decision: { ok: true } },
				`${engine}: a promise is awaited ${when}`,
			);
			await checkOrders(engine, client, group, when);
			// What a rejected order has called may be still under way.
			await waitFor(`the tasks of ${group} are done`, () => areDone(group));
			show(
				`${engine}: steps(), nap() (${slept} ms), approval() and ${ORDERS} orders across a ` +
					`restart (${mode}), done ${seconds(Date.now() - start)} after the stop`,
			);
		});
	});
}

// One restart for all engines, when all are ready for it.
export async function checkRestarts(engines, mode) {
	let missing = engines.length;
	let arrive;
	const hasRestarted = new Promise((resolve, reject) => {
		arrive = async () => {
			missing--;
			if (missing === 0) {
				await stopServer(mode).then(startServer).then(resolve, reject);
			}
			return hasRestarted;
		};
	});

	await Promise.all(
		engines.map((engine) =>
			part(`${engine}: restart (${mode})`, () =>
				checkRestart(engine, mode, () => within("the restart", arrive())),
			),
		),
	);
}
