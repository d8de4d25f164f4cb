"""A visitor of a Streamlit app without a browser, for tests and `benchmarks/visitors.py`.

It loads the page and its cookies over HTTP, then speaks Streamlit's own messages over a WebSocket
as the page does in a browser: the query of the address, the values of all widgets, a timer for each
fragment with `run_every`, and references to large messages that it still has. It keeps what is on
the page, but no charts, so that a hundred of them need little of a processor.
"""

import asyncio
import contextlib
import gzip
import ipaddress
import re
import socket
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from http.cookies import SimpleCookie
from time import perf_counter
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from streamlit.proto.Alert_pb2 import Alert
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.NumberInput_pb2 import NumberInput
from streamlit.proto.Slider_pb2 import Slider
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Origin, Subprotocol

PATIENCE = 30.0  # seconds until an answer has to be there; a person is gone by then
AT_ONCE = 6  # connections that a browser opens to one server
CHARTS = "plotly/plotly.min.js"  # what the first chart on a page loads
TEXTS = ("markdown", "heading", "text", "alert")  # elements whose `body` is text
GZIP = b"\x1f\x8b"  # the first bytes of what is compressed
NAMED = re.compile(r'(?:src|href)="\./(static/[^"]+)"')


@dataclass(frozen=True, slots=True)
class Shown:
    """An element on the page.

    Attributes:
        kind: Its name in `Element.proto`.
        label: What is written on it or in it.
        element: Streamlit's message, of a widget only.
        fragment: The fragment that it belongs to, or empty.
        run: The run of the script that sent it.
    """

    kind: str
    label: str
    element: Any
    fragment: str
    run: str


@dataclass(slots=True)
class _Kept:
    """A large message that the server may refer to, as in the browser's cache."""

    content: bytes
    fragment: str
    seen: int  # the number of the run in which it was last used


def require_loopback(address: str) -> None:
    """Raise a `ValueError` unless `address` is that of a server on this machine."""
    host = urlsplit(address).hostname or ""
    try:
        found = {str(info[4][0]) for info in socket.getaddrinfo(host, None)}
    except OSError:
        found = set()
    if not found or not all(ipaddress.ip_address(ip).is_loopback for ip in found):
        raise ValueError(
            f"{address} is not on this machine: visitors come to http://localhost:… only, since "
            "many of them are an attack elsewhere."
        )


class Visitor:
    """One visit of one page.

    Args:
        address: Where the app is, such as `http://localhost:8501`; only on this machine.
        page: The page's path, such as `inside`; empty is the first one.
        query: The query of the address, without `?`.
        assets: Whether scripts and styles are loaded too, as by a browser that was never here.

    Attributes:
        query: The query of the address now; the app changes it.
        shown: What is on the page, by its place.
        received: Bytes of messages, without those that came over HTTP.
        sent: Bytes of messages.
        loaded: Bytes that came over HTTP, headers included.
        errors: What went wrong, each in a line.
        seconds: How long things took: `first text` and `first run` from `arrive`, `update` and
            `tick` from a fragment's timer to the end of its run, with and without anything sent,
            and `between updates`.

    Raises:
        ValueError: The address is not on this machine.
    """

    def __init__(
        self, address: str, page: str = "", query: str = "", *, assets: bool = False
    ) -> None:
        require_loopback(address)
        self.query = query
        self.shown: dict[tuple[int, ...], Shown] = {}
        self.received = self.sent = self.loaded = 0
        self.errors: list[str] = []
        self.seconds: dict[str, list[float]] = defaultdict(list)
        self._address, self._page, self._assets = address.rstrip("/"), page, assets
        self._host, self._port = urlsplit(address).hostname or "", urlsplit(address).port or 80
        self._cookies: SimpleCookie = SimpleCookie()
        self._connection: ClientConnection | None = None
        self._listener: asyncio.Task[None] | None = None
        self._loading: set[asyncio.Task[bytes]] = set()
        self._widgets: dict[str, WidgetState] = {}
        self._hash = ""  # of the page's script
        self._kept: dict[str, _Kept] = {}
        self._runs, self._oldest = 0, 0  # runs so far, and for how many a message is kept
        self._timers: dict[str, tuple[float, asyncio.Task[None]]] = {}
        self._due: dict[str, float] = {}  # when a fragment's run was asked for
        self._running: dict[str, float] = {}  # the same, of those that have begun
        self._filled: set[str] = set()  # fragments whose run sent something
        self._updated: dict[str, float] = {}  # when a fragment last sent something
        self._began = 0.0
        self._latest = ""  # the latest run: what the server sends belongs to it
        self._awaited: tuple[str, asyncio.Future[None]] | None = None
        self._answer = ""  # the run that answers what is awaited
        self._chart_is_loaded = False

    # What a visitor does.

    def come_as(self, other: "Visitor") -> None:
        """Be the same person as in another visit: have its cookies."""
        self._cookies = other._cookies

    async def arrive(self) -> None:
        """Open the page, and return when the script has run once.

        Raises:
            OSError: The server does not answer.
            TimeoutError: The script is not through within half a minute.
        """
        self._began = perf_counter()
        html = await self._load(self._page, f"?{self.query}" if self.query else "")
        if self._assets:
            room = asyncio.Semaphore(AT_ONCE)
            plain = gzip.decompress(html) if html.startswith(GZIP) else html
            names = set(NAMED.findall(plain.decode(errors="replace")))
            await asyncio.gather(*(self._load(name, room=room) for name in names))
        await asyncio.gather(self._load("_stcore/health"), self._load("_stcore/host-config"))
        xsrf = self._cookies.get("_streamlit_xsrf")
        token = xsrf.value if xsrf else "PLACEHOLDER_AUTH_TOKEN"
        self._connection = await connect(
            self._address.replace("http", "ws", 1) + "/_stcore/stream",
            subprotocols=[Subprotocol("streamlit"), Subprotocol(token)],
            origin=Origin(self._address),
            additional_headers=self._headers(),
            compression=None,
            max_size=None,
            max_queue=None,
            open_timeout=PATIENCE,
        )
        self._listener = asyncio.create_task(self._listen(self._connection))
        await self._ask("")
        self.seconds["first run"].append(perf_counter() - self._began)

    async def click(self, label: str) -> float:
        """Press the button, and return the seconds until the script has run.

        Raises:
            LookupError: There is no such button, or nobody may press it.
            TimeoutError: The script is not through within half a minute.
        """
        shown = self.find(label, "button")
        if shown.element.disabled:
            raise LookupError(f"The button {label} cannot be pressed.")
        pressed = WidgetState(id=shown.element.id, trigger_value=True)
        return await self._ask(shown.fragment, pressed)

    async def change(self, label: str, value: Any) -> float:
        """Set a widget to a value, and return the seconds until the script has run.

        Raises:
            LookupError: There is no such widget.
            TimeoutError: The script is not through within half a minute.
        """
        shown = self.find(label, *_VALUES)
        widget = shown.element
        is_list = shown.kind in ("slider", "button_group") and not isinstance(value, list)
        self._widgets[widget.id] = _state(shown.kind, widget, [value] if is_list else value)
        if widget.query_param_key:
            others = [pair for pair in parse_qsl(self.query) if pair[0] != widget.query_param_key]
            self.query = urlencode([*others, (widget.query_param_key, value)])
        return await self._ask(shown.fragment)

    def find(self, label: str, *kinds: str) -> Shown:
        """Return what bears this label and is of one of these kinds, or of any.

        Raises:
            LookupError: There is none.
        """
        for shown in self.shown.values():
            if shown.label == label and (not kinds or shown.kind in kinds):
                return shown
        there = ", ".join(sorted({s.label for s in self.shown.values() if s.element is not None}))
        raise LookupError(f"There is no {label!r} on the page; there are {there or 'no widgets'}.")

    @property
    def intervals(self) -> list[float]:
        """At how many seconds the page's fragments run by themselves."""
        return [interval for interval, _ in self._timers.values()]

    async def leave(self) -> None:
        """Close the page."""
        for _, timer in self._timers.values():
            timer.cancel()
        for task in self._loading:
            task.cancel()
        if self._listener:
            self._listener.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._listener
        if self._connection:
            await self._connection.close()

    # What its browser does.

    async def _load(
        self, path: str, query: str = "", room: asyncio.Semaphore | None = None
    ) -> bytes:
        """Return what the server answers to a GET, and keep its cookies."""
        async with room or contextlib.nullcontext():
            reader, writer = await asyncio.open_connection(self._host, self._port)
            lines = [f"GET /{path}{query} HTTP/1.1", f"Host: {self._host}:{self._port}"]
            headers = {"Connection": "close", "Accept-Encoding": "gzip", **self._headers()}
            if path == self._page:  # as a browser asks for a page; it brings a visitor their cookie
                headers["Accept"] = "text/html,application/xhtml+xml"
            lines += [f"{name}: {value}" for name, value in headers.items()]
            writer.write("\r\n".join([*lines, "", ""]).encode())
            content = await reader.read(-1)
            writer.close()
        self.loaded += len(content)
        head, _, body = content.partition(b"\r\n\r\n")
        status, *fields = head.decode("latin-1").split("\r\n")
        if " 200 " not in f"{status} ":
            self.errors.append(f"/{path}: {status}")
        for field in fields:
            name, _, value = field.partition(":")
            if name.lower() == "set-cookie":
                self._cookies.load(value.strip())
        return body

    def _headers(self) -> dict[str, str]:
        cookies = "; ".join(f"{name}={each.value}" for name, each in self._cookies.items())
        return {"Cookie": cookies} if cookies else {}

    async def _ask(self, fragment: str, pressed: WidgetState | None = None) -> float:
        """Have the script or a fragment run, and return the seconds until it is through."""
        began = perf_counter()
        done = asyncio.get_running_loop().create_future()
        self._awaited, self._answer = (fragment, done), ""
        await self._send(fragment, pressed=pressed)
        async with asyncio.timeout(PATIENCE):
            await done
        return perf_counter() - began

    async def _send(
        self, fragment: str, *, by_timer: bool = False, pressed: WidgetState | None = None
    ) -> None:
        message = BackMsg()
        asked = message.rerun_script
        asked.query_string = self.query
        asked.page_script_hash = self._hash
        if not self._hash:
            asked.page_name = self._page
        asked.fragment_id = fragment
        asked.is_auto_rerun = by_timer
        asked.cached_message_hashes.extend(self._kept)
        asked.context_info.timezone = "UTC"
        asked.context_info.locale = "en-GB"
        asked.context_info.color_scheme = "light"
        query = f"?{self.query}" if self.query else ""
        asked.context_info.url = f"{self._address}/{self._page}{query}"
        asked.widget_states.widgets.extend(self._widgets.values())
        if pressed:
            asked.widget_states.widgets.append(pressed)
        content = message.SerializeToString()
        assert self._connection is not None
        await self._connection.send(content)
        self.sent += len(content)

    async def _tick(self, fragment: str, interval: float) -> None:
        """Have a fragment run at each interval, whether or not the last run is through."""
        with contextlib.suppress(ConnectionClosed):
            while True:
                await asyncio.sleep(interval)
                self._due.setdefault(fragment, perf_counter())
                await self._send(fragment, by_timer=True)

    async def _listen(self, connection: ClientConnection) -> None:
        try:
            while True:
                content = await connection.recv(decode=False)
                self.received += len(content)
                self._take(content)
        except ConnectionClosed as closed:
            self.errors.append(f"The connection was closed: {closed}")
        except Exception as error:  # a mistake of this client must not pass for a slow server
            self.errors.append(f"{type(error).__name__}: {error}")
        if self._awaited and not self._awaited[1].done():
            self._awaited[1].set_exception(ConnectionError(self.errors[-1]))

    def _take(self, content: bytes) -> None:
        message = ForwardMsg.FromString(content)
        kind = message.WhichOneof("type")
        if kind == "ref_hash":
            kept = self._kept.get(message.ref_hash)
            if kept is None:
                self.errors.append("The server refers to a message that is not there.")
                return
            kept.seen = self._runs
            whole = ForwardMsg.FromString(kept.content)
            whole.metadata.CopyFrom(message.metadata)
            message, kind = whole, whole.WhichOneof("type")
        elif message.metadata.cacheable:
            own = message.delta.fragment_id
            self._kept.setdefault(message.hash, _Kept(content, own, self._runs))
        take = _TAKES.get(kind or "")
        if take:
            take(self, message)

    def _take_session(self, message: ForwardMsg) -> None:
        """A run begins, of the script or of fragments."""
        session = message.new_session
        self._hash = session.page_script_hash or self._hash
        self._oldest = session.config.max_cached_message_age
        fragments = message.metadata.run.fragment_ids
        # A server that is busy may not say that a run is over when it begins the next one.
        self._finish(self._answer)
        self._latest = message.metadata.run.script_run_id
        awaited = self._awaited[0] if self._awaited else ""
        # A run of the whole script takes in what was asked of fragments before it began.
        if awaited in fragments or not fragments:
            self._answer = self._latest
        for fragment in fragments:
            if fragment in self._due:
                self._running[fragment] = self._due.pop(fragment)
        if not fragments:
            self._due.clear()
            self._running.clear()
            self._end_timers(list(self._timers))

    def _take_finished(self, message: ForwardMsg) -> None:
        """A run is through."""
        now, run = perf_counter(), message.metadata.run
        status, fragments = message.script_finished, list(run.fragment_ids)
        if status == ForwardMsg.FINISHED_EARLY_FOR_RERUN:
            if run.script_run_id == self._answer:
                self._answer = ""  # what was asked for comes with the next run
            return
        if status == ForwardMsg.FINISHED_WITH_COMPILE_ERROR:
            self.errors.append("The script could not be compiled.")
        for fragment in fragments:
            self._finish_fragment(fragment, now)
        if fragments or run.script_run_id == self._latest:
            self._forget(fragments, run.script_run_id)
        self._finish(run.script_run_id)

    def _finish(self, run: str) -> None:
        if self._awaited and run and self._answer == run and not self._awaited[1].done():
            self._awaited[1].set_result(None)

    def _finish_fragment(self, fragment: str, now: float) -> None:
        is_update = fragment in self._filled
        self._filled.discard(fragment)
        if (asked := self._running.pop(fragment, None)) is None:
            return  # a visitor's click, not the timer
        self.seconds["update" if is_update else "tick"].append(now - asked)
        if is_update:
            if (before := self._updated.get(fragment)) is not None:
                self.seconds["between updates"].append(now - before)
            self._updated[fragment] = now

    def _forget(self, fragments: list[str], run: str) -> None:
        """Take off the page what this run did not send again, and old messages from the cache."""
        self._runs += 1
        for hash, kept in list(self._kept.items()):
            is_of_it = not fragments or kept.fragment in fragments
            if is_of_it and self._runs - kept.seen > self._oldest:
                del self._kept[hash]
        for place, shown in list(self.shown.items()):
            is_of_it = not fragments or shown.fragment in fragments
            if is_of_it and shown.run != run:
                del self.shown[place]
        there = {shown.element.id for shown in self.shown.values() if shown.element is not None}
        self._widgets = {id: state for id, state in self._widgets.items() if id in there}

    def _take_delta(self, message: ForwardMsg) -> None:
        if message.delta.WhichOneof("type") != "new_element":
            return  # a container, which every run of a fragment sends
        fragment = message.delta.fragment_id
        self._filled.add(fragment)
        element = message.delta.new_element
        kind = element.WhichOneof("type") or "empty"
        own = getattr(element, kind)
        if kind in TEXTS:
            label = own.body
            if label.strip() and not self.seconds["first text"]:
                self.seconds["first text"].append(perf_counter() - self._began)
            if "Traceback" in label or (kind == "alert" and own.format == Alert.ERROR):
                self.errors.append(f"On the page: {label[:300]}")
        elif kind == "exception":
            label = own.message
            self.errors.append(f"On the page: {own.type}: {own.message[:300]}")
        elif kind == "bidi_component":
            label = own.component_name
            self._load_chart(label)
        else:
            label = getattr(own, "label", "") or getattr(own, "text", "")
        is_widget = kind == "button" or kind in _VALUES
        place = tuple(message.metadata.delta_path)
        shown = Shown(kind, label, own if is_widget else None, fragment, self._latest)
        self.shown[place] = shown
        if kind in _VALUES and (own.id not in self._widgets or own.set_value):
            self._widgets[own.id] = _state(kind, own, _VALUES[kind](own))

    def _load_chart(self, name: str) -> None:
        if not self._assets or self._chart_is_loaded or not name.endswith("explorer_chart"):
            return
        self._chart_is_loaded = True
        task = asyncio.create_task(self._load(CHARTS))
        self._loading.add(task)
        task.add_done_callback(self._loading.discard)

    def _take_timer(self, message: ForwardMsg) -> None:
        interval, fragment = message.auto_rerun.interval, message.auto_rerun.fragment_id
        if fragment in self._timers and self._timers[fragment][0] == interval:
            return
        self._end_timers([fragment])
        self._timers[fragment] = interval, asyncio.create_task(self._tick(fragment, interval))

    def _take_end_of_timers(self, message: ForwardMsg) -> None:
        self._end_timers(list(message.stop_auto_rerun.fragment_ids))

    def _end_timers(self, fragments: list[str]) -> None:
        for fragment in fragments:
            if fragment in self._timers:
                self._timers.pop(fragment)[1].cancel()

    def _take_page(self, message: ForwardMsg) -> None:
        self.query = message.page_info_changed.query_string

    def _take_navigation(self, message: ForwardMsg) -> None:
        self._hash = message.navigation.page_script_hash

    def _take_event(self, message: ForwardMsg) -> None:
        event = message.session_event
        if event.WhichOneof("type") == "script_compilation_exception":
            self.errors.append(f"The script: {event.script_compilation_exception.message}")


_TAKES: dict[str, Callable[[Visitor, ForwardMsg], None]] = {
    "new_session": Visitor._take_session,
    "script_finished": Visitor._take_finished,
    "delta": Visitor._take_delta,
    "auto_rerun": Visitor._take_timer,
    "stop_auto_rerun": Visitor._take_end_of_timers,
    "page_info_changed": Visitor._take_page,
    "navigation": Visitor._take_navigation,
    "session_event": Visitor._take_event,
}


def _number(own: Any) -> Any:
    if own.set_value:
        return own.value if own.HasField("value") else None
    return own.default if own.HasField("default") else None


def _choice(own: Any) -> Any:
    if own.set_value:
        return own.raw_value if own.HasField("raw_value") else None
    return own.options[own.default] if own.HasField("default") else None


def _choices(own: Any) -> list[str]:
    return list(own.raw_values) if own.set_value else [own.options[i] for i in own.default]


def _buttons(own: Any) -> list[str]:
    return list(own.raw_values) if own.set_value else [own.options[i].content for i in own.default]


def _slider(own: Any) -> list[Any]:
    if own.type == Slider.SELECT_SLIDER:
        chosen = own.value if own.set_value else own.default
        return list(own.raw_value) or [own.options[int(i)] for i in chosen]
    return list(own.value if own.set_value else own.default)


def _checkbox(own: Any) -> bool:
    return bool(own.value if own.set_value else own.default)


# Kinds of widgets that have a value, and how to read it.
_VALUES: dict[str, Callable[[Any], Any]] = {
    "number_input": _number,
    "selectbox": _choice,
    "slider": _slider,
    "multiselect": _choices,
    "button_group": _buttons,
    "checkbox": _checkbox,
}


def _state(kind: str, own: Any, value: Any) -> WidgetState:
    """Return a widget's value as it is sent; `None` is no value."""
    state = WidgetState(id=own.id)
    if kind == "slider" and own.type != Slider.SELECT_SLIDER:
        state.double_array_value.data.extend(value)
    elif kind in ("slider", "multiselect", "button_group"):
        state.string_array_value.data.extend(value)
    elif kind == "checkbox":
        state.bool_value = value
    elif value is not None:
        if kind == "selectbox":
            state.string_value = value
        elif own.data_type == NumberInput.INT:
            state.int_value = int(value)
        else:
            state.double_value = value
    return state
