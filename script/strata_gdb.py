"""gdb commands for kernels on the simulator: gdb -x script/strata_gdb.py --args PROGRAM

strata-threads    where every thread of the running block stands, in groups
strata-thread N   the stack of thread N, which is waiting
"""
import gdb


def current():
    pointer = gdb.parse_and_eval("'strata::sim::current'")
    if int(pointer) == 0:
        raise gdb.GdbError("no kernel is running; stop inside one first")
    return pointer.dereference()


def threads_of(thread):
    block = thread["block"].dereference()
    first = block["threads"]["_M_impl"]["_M_start"]
    return [first[i] for i in range(int(block["thread_count"]))]


class Threads(gdb.Command):
    def __init__(self):
        super().__init__("strata-threads", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        here = current()
        index = here["block"].dereference()["index"]
        print(f"block ({int(index['x'])},{int(index['y'])},{int(index['z'])})")
        groups = {}
        for number, thread in enumerate(threads_of(here)):
            if int(thread.address) == int(here.address):
                state = "runs here"
            else:
                state = str(thread["wait"]).split("::")[-1]
                if state not in ("unstarted", "ready", "done"):
                    site = thread["site"]
                    state = f"waits in {thread['what'].string()} at {site['file'].string().split('/')[-1]}:{int(site['line'])}"
            groups.setdefault(state, []).append(number)
        for state, numbers in groups.items():
            shown = ", ".join(map(str, numbers[:8])) + (", ..." if len(numbers) > 8 else "")
            print(f"  {len(numbers):4} {state}: {shown}")


class Thread(gdb.Command):
    def __init__(self):
        super().__init__("strata-thread", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        thread = threads_of(current())[int(argument)]
        if int(thread["fiber"]) == 0 or int(thread.address) == int(current().address):
            raise gdb.GdbError("that thread has not started, or is the one that runs: use bt")
        # A suspended fiber's registers lie on its stack; look at it as if it were about to resume.
        kept = {name: int(gdb.parse_and_eval("$" + name)) for name in ("rsp", "rip", "rbp", "rbx")}
        stack = int(thread["fiber"].dereference()["stack_pointer"])
        gdb.execute(f"set $rsp={stack}")
        gdb.execute(f"set $rip={int(gdb.parse_and_eval('(long)&strata_switch_resume'))}")
        try:
            gdb.execute("bt 8")
        finally:
            for name, value in kept.items():
                gdb.execute(f"set ${name}={value}")


Threads()
Thread()
