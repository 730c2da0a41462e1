import asyncio

import consistentid_pack


def test_the_pack_offers_an_extension():
    extension = asyncio.run(consistentid_pack.comfy_entrypoint())
    assert isinstance(asyncio.run(extension.get_node_list()), list)
