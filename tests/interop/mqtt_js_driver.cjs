// Takes mqtt.js through what a client does: mqtt_js_driver.cjs PORT tcp|websockets 3.1.1|5
//
// Prints a line for each step that it has taken.
"use strict";

const assert = require("node:assert");
const mqtt = require("mqtt");

const [port, transport, version] = process.argv.slice(2);
const url = transport === "tcp" ? `mqtt://127.0.0.1:${port}` : `ws://127.0.0.1:${port}/mqtt`;
const patienceMs = 20_000;

/** A client whose messages wait in a list until they are asked for. */
class Client {
  static async connect(clientId, { clean = true, will } = {}) {
    const client = new Client();
    const v5 = version === "5";
    client.messages = [];
    client.waiting = [];
    client.mqtt = mqtt.connect(url, {
      clientId,
      clean,
      will,
      protocolVersion: v5 ? 5 : 4,
      properties: v5 ? { sessionExpiryInterval: clean ? 0 : 3600 } : undefined,
      reconnectPeriod: 0,
    });
    client.mqtt.on("message", (topic, payload, packet) => {
      const message = [topic, payload.toString(), packet.qos, packet.retain];
      const next = client.waiting.shift();
      if (next) next(message);
      else client.messages.push(message);
    });
    const connack = await new Promise((resolve, reject) => {
      client.mqtt.once("connect", resolve);
      client.mqtt.once("error", reject);
    });
    client.sessionPresent = connack.sessionPresent;
    return client;
  }

  async subscribe(topic, qos) {
    const granted = await this.mqtt.subscribeAsync(topic, { qos });
    assert.deepStrictEqual(granted.map((entry) => entry.qos), [qos]);
  }

  async publish(topic, payload, qos = 0, retain = false) {
    await this.mqtt.publishAsync(topic, payload, { qos, retain });
  }

  async next() {
    if (this.messages.length > 0) return this.messages.shift();
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  async receive(topic, payload, qos = 0, retain = false) {
    assert.deepStrictEqual(await this.next(), [topic, payload, qos, retain]);
  }

  async end() {
    await this.mqtt.endAsync();
  }
}

const done = (step) => console.log(step);

async function will() {
  const watch = await Client.connect("watch");
  await watch.subscribe("will", 1);
  const mortal = await Client.connect("mortal", {
    will: { topic: "will", payload: Buffer.from("gone"), qos: 1, retain: false },
  });
  mortal.mqtt.stream.destroy();
  await watch.receive("will", "gone", 1);
  await watch.end();
}

async function session() {
  const first = await Client.connect("keeper", { clean: false });
  assert.strictEqual(first.sessionPresent, false);
  await first.subscribe("news", 2);
  await first.end();
  const other = await Client.connect("other");
  await other.publish("news", "1", 1);
  await other.publish("news", "2", 2);
  await other.end();
  const second = await Client.connect("keeper", { clean: false });
  assert.strictEqual(second.sessionPresent, true);
  await second.receive("news", "1", 1);
  await second.receive("news", "2", 2);
  await second.end();
}

async function shared() {
  const members = [await Client.connect("one"), await Client.connect("two")];
  for (const member of members) await member.subscribe("$share/group/work", 1);
  const other = await Client.connect("other");
  for (let number = 0; number < 10; number++) await other.publish("work", `${number}`, 1);
  const got = [];
  for (const member of members) {
    for (let count = 0; count < 5; count++) got.push((await member.next())[1]);
  }
  assert.deepStrictEqual(got.sort(), ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]);
  for (const client of [...members, other]) await client.end();
}

async function main() {
  const client = await Client.connect("client");
  done("connect");
  await client.subscribe("greetings/+", 2);
  for (const qos of [0, 1, 2]) {
    await client.publish("greetings/world", `at ${qos}`, qos);
    await client.receive("greetings/world", `at ${qos}`, qos);
    done(`qos ${qos}`);
  }
  await client.publish("state", "kept", 1, true);
  await client.subscribe("state", 1);
  await client.receive("state", "kept", 1, true);
  await client.end();
  done("retained");
  await will();
  done("will");
  await session();
  done("session");
  await shared();
  done("shared");
}

const deadline = setTimeout(() => {
  console.error("waited in vain");
  process.exit(1);
}, patienceMs);

main().then(
  () => {
    clearTimeout(deadline);
    process.exit(0);
  },
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
