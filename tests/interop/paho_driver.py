"""Takes paho-mqtt through what a client does: paho_driver.py PORT tcp|websockets 3.1.1|5

Prints a line for each step that it has taken.
"""

import queue
import subprocess
import sys
import threading

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

PORT, TRANSPORT, VERSION = int(sys.argv[1]), sys.argv[2], sys.argv[3]
PATIENCE = 20


class Client:
    """A client whose callbacks fill queues."""

    def __init__(self, client_id, clean=True, will=None):
        protocol = mqtt.MQTTv5 if VERSION == "5" else mqtt.MQTTv311
        session = {} if VERSION == "5" else {"clean_session": clean}
        self.mqtt = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=protocol,
            transport=TRANSPORT,
            **session,
        )
        self.connected = queue.Queue()
        self.subscribed = queue.Queue()
        self.messages = queue.Queue()
        self.disconnected = threading.Event()
        self.mqtt.on_connect = lambda c, u, flags, reason, p: self.connected.put((flags, reason))
        self.mqtt.on_subscribe = lambda c, u, mid, codes, p: self.subscribed.put(codes)
        self.mqtt.on_message = lambda c, u, message: self.messages.put(message)
        self.mqtt.on_disconnect = lambda *arguments: self.disconnected.set()
        if will:
            self.mqtt.will_set(will, "gone", qos=1)
        more = {}
        if VERSION == "5":
            properties = Properties(PacketTypes.CONNECT)
            properties.SessionExpiryInterval = 0 if clean else 3600
            more = {"clean_start": clean, "properties": properties}
        self.mqtt.connect("127.0.0.1", PORT, keepalive=30, **more)
        self.mqtt.loop_start()
        flags, reason = self.connected.get(timeout=PATIENCE)
        assert not reason.is_failure, reason
        self.session_present = flags.session_present

    def subscribe(self, topic, qos):
        self.mqtt.subscribe(topic, qos)
        codes = self.subscribed.get(timeout=PATIENCE)
        assert [code.value for code in codes] == [qos], codes

    def publish(self, topic, payload, qos=0, retain=False):
        self.mqtt.publish(topic, payload, qos, retain).wait_for_publish(PATIENCE)

    def receive(self, topic, payload, qos=0, retain=False):
        message = self.messages.get(timeout=PATIENCE)
        got = (message.topic, message.payload.decode(), message.qos, message.retain)
        assert got == (topic, payload, qos, retain), got

    def end(self):
        self.mqtt.disconnect()
        assert self.disconnected.wait(PATIENCE)
        self.mqtt.loop_stop()


def done(step):
    print(step, flush=True)


def will():
    watch = Client("watch")
    watch.subscribe("will", 1)
    mortal = subprocess.Popen(
        [sys.executable, *sys.argv, "mortal"], stdout=subprocess.PIPE, text=True
    )
    assert mortal.stdout.readline() == "connected\n"
    mortal.kill()
    mortal.wait()
    watch.receive("will", "gone", qos=1)
    watch.end()


def session():
    first = Client("keeper", clean=False)
    assert not first.session_present
    first.subscribe("news", 2)
    first.end()
    other = Client("other")
    other.publish("news", "1", qos=1)
    other.publish("news", "2", qos=2)
    other.end()
    second = Client("keeper", clean=False)
    assert second.session_present
    second.receive("news", "1", qos=1)
    second.receive("news", "2", qos=2)
    second.end()


def shared():
    members = [Client("one"), Client("two")]
    for member in members:
        member.subscribe("$share/group/work", 1)
    other = Client("other")
    for number in range(10):
        other.publish("work", str(number), qos=1)
    got = [int(member.messages.get(timeout=PATIENCE).payload) for member in members for _ in range(5)]
    assert sorted(got) == list(range(10)), got
    for client in [*members, other]:
        client.end()


def main():
    client = Client("client")
    done("connect")
    client.subscribe("greetings/+", 2)
    for qos in range(3):
        client.publish("greetings/world", f"at {qos}", qos)
        client.receive("greetings/world", f"at {qos}", qos)
        done(f"qos {qos}")
    client.publish("state", "kept", qos=1, retain=True)
    client.subscribe("state", 1)
    client.receive("state", "kept", qos=1, retain=True)
    client.end()
    done("retained")
    will()
    done("will")
    session()
    done("session")
    shared()
    done("shared")


if sys.argv[4:] == ["mortal"]:
    Client("mortal", will="will")
    print("connected", flush=True)
    threading.Event().wait()
else:
    main()
