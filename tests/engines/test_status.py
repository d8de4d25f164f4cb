from explorer.engines import status
from explorer.engines.children import Nursery
from explorer.engines.local import LocalEngine
from explorer.engines.status import EngineStatus


def test_nothing_is_known_until_somebody_reports_and_after_they_have_gone():
    assert status.current() is None
    status.report(lambda: EngineStatus(is_alive=True, waiting=2))
    try:
        assert status.current() == EngineStatus(True, restarts=0, training=0, waiting=2)
    finally:
        status.report(None)
    assert status.current() is None


def test_an_engine_says_whether_its_processes_are_there(store, settings):
    nursery = Nursery()
    engine = LocalEngine(store, settings, nursery, needed=lambda spec: None)
    try:
        assert engine.status() == EngineStatus(is_alive=True)
    finally:
        engine.close()
        nursery.close()
    assert not engine.status().is_alive
