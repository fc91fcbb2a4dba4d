"""Live events: from threads to streams."""

import asyncio
import threading

import pytest

from service_kit.events import Broadcast, Event


async def take(stream, count):
    return [await asyncio.wait_for(anext(stream), 5) for _ in range(count)]


def test_what_a_thread_publishes_arrives_in_order():
    async def listen():
        broadcast = Broadcast()
        stream = broadcast.stream(["session"])
        assert "retry:" in await anext(stream)

        def publish():
            for n in range(20):
                broadcast.publish("session", str(n))

        threading.Thread(target=publish).start()
        assert await take(stream, 20) == [f"event: session\ndata: {n}\n\n" for n in range(20)]
        await stream.aclose()

    asyncio.run(listen())


def test_a_stream_hears_its_topics_only():
    async def listen():
        broadcast = Broadcast()
        picky, curious = broadcast.stream(["task"]), broadcast.stream()
        await anext(picky), await anext(curious)
        broadcast.publish("session", "1")
        broadcast.publish("task", {"id": 2})
        assert await take(picky, 1) == ['event: task\ndata: {"id": 2}\n\n']
        assert len(await take(curious, 2)) == 2
        await picky.aclose()
        await curious.aclose()

    asyncio.run(listen())


def test_a_silent_stream_has_a_heartbeat():
    async def listen():
        stream = Broadcast(heartbeat_s=0.02).stream()
        await anext(stream)
        assert (await take(stream, 2))[1].startswith(":")
        await stream.aclose()

    asyncio.run(listen())


def test_a_stream_ends_at_the_heartbeat_when_its_reader_may_not_go_on_however_much_happens():
    async def listen():
        broadcast = Broadcast(heartbeat_s=0.05)
        answers = iter([True, False])
        asked_in = set()

        def may_go_on():
            asked_in.add(threading.current_thread())
            return next(answers)

        received = []
        async with asyncio.timeout(5):
            async for text in broadcast.stream(may_go_on=may_go_on):
                received.append(text)
                await asyncio.sleep(0.005)
                broadcast.publish("session", "1")
        assert sum(text.startswith(":") for text in received) == 1
        assert any(text.startswith("event") for text in received)
        assert threading.current_thread() not in asked_in, "others would wait for the database"
        assert broadcast.listener_count == 0

    asyncio.run(listen())


def test_a_reader_that_goes_is_forgotten():
    async def listen():
        broadcast = Broadcast()
        stream = broadcast.stream()
        await anext(stream)
        assert broadcast.listener_count == 1
        await stream.aclose()
        assert broadcast.listener_count == 0
        broadcast.publish("session", "nobody hears it")

    asyncio.run(listen())


def test_closing_ends_every_stream():
    async def listen():
        broadcast = Broadcast()
        stream = broadcast.stream()
        await anext(stream)
        broadcast.close()
        with pytest.raises(StopAsyncIteration):
            await asyncio.wait_for(anext(stream), 5)

    asyncio.run(listen())


def test_a_reader_that_does_not_keep_up_is_ended_so_that_it_loads_anew():
    async def listen():
        broadcast = Broadcast()
        stream = broadcast.stream()
        await anext(stream)
        for n in range(1000):
            broadcast.publish("session", str(n))
        await asyncio.sleep(0)
        received = [text async for text in stream]
        assert len(received) < 300
        assert broadcast.listener_count == 0

    asyncio.run(listen())


def test_publishing_to_a_stopped_loop_is_no_error():
    broadcast = Broadcast()

    async def listen():
        stream = broadcast.stream()
        await anext(stream)
        return stream

    loop = asyncio.new_event_loop()
    stream = loop.run_until_complete(listen())
    loop.close()
    broadcast.publish("session", "1")
    del stream


def test_a_text_of_several_lines_stays_one_event():
    assert Event("log", "a\nb").encode() == "event: log\ndata: a\ndata: b\n\n"
