"""A picture that a visitor uploads: what is taken of it as ink, and how they correct that."""

import hashlib
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from explorer.data.dataset import DataSet
from explorer.data.pictures import Crop, PictureError, Prepared, open_picture, prepare_and_show
from explorer.data.pixels import PixelsError, pack_pixels, unpack_pixels
from explorer.language import say
from explorer.ui import query_params, state
from explorer.ui.components.crop import crop, cropped
from explorer.ui.failure import sentence
from explorer.ui.words import plain

PICTURE = "picture"  # a name in the address
# Session keys: what became of the picture and of the one before, how often an address brought one,
# what was done with the file last, and the frame that was chosen in it.
_PIXELS, _BEFORE, _UPLOADS = "pixels", "pixels before", "uploads"
_DONE, _CROP = "picture done", "picture crop"


class _Done(NamedTuple):
    """What was done with a file."""

    file: bytes  # its hash
    dataset: str
    crop: Crop | None
    found: Prepared


def uploaded(dataset: DataSet, *, is_shown: bool) -> NDArray[np.uint8] | None:
    """Let the visitor upload a picture; return the image that became of it, if there is one.

    Of a file that is no picture, the sentence is shown; the picture before it stays.

    Args:
        dataset: The data set whose images it is to be like.
        is_shown: Whether a file can be chosen.
    """
    if (said := query_params.news(PICTURE)) is not None:
        _take(dataset, said)
    key = f"upload {st.session_state.get(_UPLOADS, 0)}"
    file = None
    if is_shown:
        file = st.file_uploader(
            say("A picture of one digit") if dataset.centred else say("A picture of one thing"),
            key=key,
            max_upload_size=_megabytes(state.settings().upload_bytes),
            on_change=lambda: _put_aside(key),
            help=say(
                "PNG, JPEG or similar, any size. It is prepared like the images of the data set."
            ),
        )
    if file is not None:
        _prepare(dataset, file.getvalue())
    pixels: NDArray[np.uint8] | None = st.session_state.get(_PIXELS)
    spec = dataset.images
    if pixels is None or pixels.shape != (spec.channels, spec.size, spec.size):
        query_params.put(PICTURE, None)
        return None
    query_params.put(PICTURE, pack_pixels(pixels))
    return pixels


def _prepare(dataset: DataSet, content: bytes) -> None:
    """Make an image of a file, and show how."""
    try:
        done = _done(dataset, content)
        doubt = plain(done.found.doubt) if done.found.doubt else None
    except PictureError as error:
        st.session_state[_PIXELS] = st.session_state.get(_PIXELS, st.session_state.get(_BEFORE))
        last: _Done | None = st.session_state.get(_DONE)
        if not (last and st.session_state.get(_CROP) and last.dataset == dataset.name):
            st.error(sentence(error))
            return
        done, doubt = last, sentence(error)  # the frame stays, so that it can be moved on
    st.session_state[_PIXELS] = done.found.image
    key = "crop"
    crop(done.found, st.session_state.get(_CROP), key, on_crop=lambda: _frame(key))
    if doubt:
        st.warning(doubt)
    if dataset.centred:
        st.caption(say("Blue was taken as the digit. Move the frame to say where it is."))
    else:
        st.caption(say("Move the frame to say which part of the picture is shown to the network."))


def _done(dataset: DataSet, content: bytes) -> _Done:
    """Return what is done with a file, which is done once.

    Raises:
        PictureError: It cannot be used.
    """
    file = hashlib.sha256(content).digest()
    before: _Done | None = st.session_state.get(_DONE)
    chosen: Crop | None = st.session_state.get(_CROP)
    if before and before.file != file:
        chosen = st.session_state[_CROP] = None
    asked = file, dataset.name, chosen
    if before and before[:3] == asked:
        return before
    picture = open_picture(content, state.settings().upload_pixels)
    done = _Done(*asked, prepare_and_show(picture, dataset, chosen))
    st.session_state[_DONE] = done
    return done


def _frame(key: str) -> None:
    st.session_state[_CROP] = cropped(key)


def _put_aside(key: str) -> None:
    """Put the picture of a file that was removed aside: a file that replaces it may be none."""
    if st.session_state[key] is None:
        st.session_state[_BEFORE] = st.session_state.pop(_PIXELS, None)
        for name in (_DONE, _CROP):
            st.session_state.pop(name, None)


def _take(dataset: DataSet, said: Sequence[str]) -> None:
    """Take the picture of a link in the place of what was uploaded."""
    st.session_state[_UPLOADS] = st.session_state.get(_UPLOADS, 0) + 1
    st.session_state[_PIXELS] = None
    if said:
        try:
            st.session_state[_PIXELS] = unpack_pixels(said[-1], dataset.images)
        except PixelsError:
            query_params.refuse(PICTURE, said[-1])


def _megabytes(limit: int | None) -> int | None:
    """Return a limit in bytes as the uploader takes it; the server refuses what is above it."""
    return None if limit is None else max(1, math.ceil(limit / 1e6))
