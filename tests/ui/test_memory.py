import gc
import weakref

from explorer.ui.memory import Collector


class Node:
    def __init__(self):
        self.own = self


def test_garbage_is_collected_once_enough_has_run():
    collector = Collector(seconds=3600)
    try:
        collector.collect()
        assert not collector.collect(), "nothing has run since"
        node = Node()
        gc.collect()  # it is old now, and not looked through soon
        seen = weakref.ref(node)
        del node
        kept = [[number] for number in range(30_000)]  # which young collections look through
        assert collector.collect()
        assert seen() is None
        assert len(kept) == 30_000
    finally:
        collector.close()
    assert not collector._thread.is_alive()
