'use strict';
/*
 * What the programs for node share; program.py says how test_drivers.py talks to them and what a scenario is.
 *
 * serve({connect, close, neighbour, scenarios}): each scenario is {run: async (connection, me) => answer, some: number}.
 */

const assert = require('assert');
const readline = require('readline');

const CROWD = 20;

/** Waits until all have come; one that fails lets the others fail. */
class Meeting {
    constructor(count) {
        this.count = count;
        this.waiting = [];
        this.failed = false;
    }
    meet() {
        if (this.failed) return Promise.reject(new Error('another one has failed'));
        return new Promise((resolve, reject) => {
            this.waiting.push({ resolve, reject });
            if (this.waiting.length === this.count) this.waiting.splice(0).forEach((one) => one.resolve());
        });
    }
    fail() {
        this.failed = true;
        this.waiting.splice(0).forEach((one) => one.reject(new Error('another one has failed')));
    }
}

/** "Error 22012", or null when it went well. */
async function code(promise) {
    try {
        await promise;
        return null;
    } catch (error) {
        if (!error.code) throw error;
        return error.code;
    }
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const plain = (key, value) => (typeof value === 'bigint' ? `${value}n` : value === undefined ? 'undefined' : value);

async function runAll({ run, some = CROWD }, number, connections, neighbour) {
    const meeting = new Meeting(some);
    const going = new Set();
    let done = false;
    const me = (i) => ({ number: i, run: number, key: number * 100 + i, first: i === 0, meet: () => meeting.meet() });
    const onAbort = () => {
        console.error(`connections that are not done: ${[...going]}`);
        process.exit(1);
    };
    process.once('SIGABRT', onAbort);
    const parts = connections.slice(0, some).map(async (c, i) => {
        going.add(i);
        try {
            return await run(c, me(i));
        } catch (error) {
            meeting.fail();
            throw new Error(`connection ${i}: ${error.stack}\n${JSON.stringify(error)}`);
        } finally {
            going.delete(i);
        }
    });
    const others = connections.slice(some).map(async (c, i) => {
        while (!done) {
            await neighbour(c, me(some + i));
            await pause(5);
        }
    });
    const ended = await Promise.allSettled(parts);
    done = true;
    const beside = await Promise.allSettled(others);
    process.removeListener('SIGABRT', onAbort);
    const failed = [...ended, ...beside].filter((one) => one.status === 'rejected');
    failed.sort((a, b) => a.reason.message.includes('another one has failed') - b.reason.message.includes('another one has failed'));
    if (failed.length) throw failed[0].reason;
    return ended.map((one) => one.value === undefined ? null : one.value);
}

async function serve({ connect, close, neighbour, scenarios }) {
    let connections = null;
    let answer;
    for await (const line of readline.createInterface({ input: process.stdin })) {
        const request = JSON.parse(line);
        try {
            if (request.scenario in scenarios) {
                connections = connections || (await Promise.all(Array.from({ length: CROWD }, () => connect())));
                answer = { answers: await runAll(scenarios[request.scenario], request.run, connections, neighbour) };
            } else {
                answer = { scenarios: Object.keys(scenarios).sort() };
            }
        } catch (error) {
            answer = { failed: String(error.stack) };
        }
        process.stdout.write(JSON.stringify(answer, plain) + '\n');
        if (answer.failed) break;
    }
    if (answer && answer.failed) process.exit(1);
    await Promise.all((connections || []).map(close));
    process.exit(0); // a driver's timers would keep it going
}

module.exports = { assert, code, pause, serve, CROWD };
