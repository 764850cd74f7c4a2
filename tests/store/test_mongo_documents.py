"""Messages as MongoDB keeps them."""

import bson
import pytest
from bson.codec_options import CodecOptions

from pipeline.model.documents import document_of, message_in
from pipeline.store.mongo.documents import encode
from tools.docs.examples import EXAMPLES


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_message_comes_back(name: str) -> None:
    message = EXAMPLES[name]
    found = bson.decode(encode(document_of(message)).raw, CodecOptions(tz_aware=True))
    assert message_in(found, type(message)) == message
