# SPDX-License-Identifier: LGPL-2.1-or-later
"""A channel from Python, both sides of it, by ctypes. Says nothing if all is well."""
import ctypes as c
import os
import select
import sys

u16, u32, u64, pointer = c.c_uint16, c.c_uint32, c.c_uint64, c.c_void_p
PACKED, EVENT_IDX = 34, 29


def struct(name, *fields):
    return type(name, (c.Structure,), {"_fields_": list(fields)})


Options = struct("Options", ("sz", u32), ("flags", u32), ("rings", u32), ("ring_size", u32),
                 ("features", u64 * 2), ("buffers", u32), ("buffer_size", u32), ("pool", pointer))
Segment = struct("Segment", ("base", pointer), ("len", c.c_size_t))
Buffer = struct("Buffer", ("guest_addr", u64), ("len", u32), ("reserved", u32))
Add = struct("Add", ("buffers", c.POINTER(Buffer)), ("readable", u16), ("writable", u16),
             ("id", u32))
Chain = struct("Chain", ("segments", c.POINTER(Segment)), ("readable_bytes", u32),
               ("writable_bytes", u32), ("readable", u16), ("writable", u16), ("id", u32))
Done = struct("Done", ("id", u32), ("len", u32))

vtc = c.CDLL(sys.argv[1])
for name in ("vtc_channel_get_vring", "vtc_ctx_unref"):
    getattr(vtc, name).restype = pointer


def call(name, *arguments, want=0):
    got = getattr(vtc, name)(*arguments)
    assert got == want, "%s: %s instead of %s" % (name, got, want)


def make(name, *arguments):
    handle = pointer()
    call(name, *arguments, c.byref(handle))
    return handle


def wait(channel, vring):
    """Sleep until the other side rings, if there is nothing to do."""
    if vtc.vtc_vring_needs_poll(vring) == 0:
        return
    fd = vtc.vtc_channel_get_fd(channel, 0)
    assert select.select([fd], [], [], 30)[0], "no doorbell"
    call("vtc_channel_heard", channel, 0, want=1)


def device(ctx, fds):
    """Pull a chain, turn its text to capitals where it lies, push it."""
    channel = make("vtc_channel_open", ctx, fds, 3)
    vring = pointer(vtc.vtc_channel_get_vring(channel, 0))
    segments, chain = (Segment * 4)(), Chain()
    for _ in range(1000):
        while vtc.vtc_vring_pull(vring, c.byref(chain), 1, segments, 4) == 0:
            wait(channel, vring)
        assert (chain.readable, chain.writable) == (1, 1)
        text = c.string_at(chain.segments[0].base, chain.readable_bytes).upper()
        c.memmove(chain.segments[1].base, text, len(text))
        call("vtc_vring_push", vring, c.byref(Done(chain.id, len(text))), 1)
        if vtc.vtc_vring_flush(vring) == 1:
            call("vtc_channel_notify", channel, 0)
    vtc.vtc_channel_close(channel)


def driver(channel):
    vring = pointer(vtc.vtc_channel_get_vring(channel, 0))
    segment, address, done = Segment(), u64(), Done()
    for number in range(1000):
        call("vtc_channel_get_buffer", channel, number % 8, c.byref(address), c.byref(segment))
        text = b"packet %d" % number
        c.memmove(segment.base, text, len(text))
        both = (Buffer * 2)(Buffer(address.value, len(text), 0), Buffer(address.value, 64, 0))
        call("vtc_vring_add", vring, c.byref(Add(both, 1, 1, number)), 1, want=1)
        if vtc.vtc_vring_kick(vring) == 1:
            call("vtc_channel_notify", channel, 0)
        while vtc.vtc_vring_reap(vring, c.byref(done), 1) == 0:
            wait(channel, vring)
        assert (done.id, done.len) == (number, len(text))
        assert c.string_at(segment.base, done.len) == text.upper()


def main():
    options = Options(c.sizeof(Options), 0, 1, 8)
    options.features[0] = 1 << EVENT_IDX | (1 << PACKED if sys.argv[2] == "packed" else 0)
    ctx = make("vtc_ctx_new", None)
    channel = make("vtc_channel_create", ctx, c.byref(options))
    fds = (c.c_int * 3)()
    call("vtc_channel_get_fds", channel, fds, 3, want=3)
    child = os.fork()
    if child == 0:
        device(make("vtc_ctx_new", None), fds)
        os._exit(0)
    driver(channel)
    assert os.waitpid(child, 0)[1] == 0, "the device side failed"
    vtc.vtc_channel_close(channel)
    vtc.vtc_ctx_unref(ctx)


main()
