"""The promise that every CPU gives the same bits: the same requests to the same binary on this machine's CPU and on an
emulated one of 2008, which has neither AVX nor fused multiply-add, must be answered with the same bytes.
"""

import json

import pytest
import requests

import conftest
import cpus
import networks

CASES = 40


@pytest.fixture(scope="module")
def old_cpu():
    command = [*cpus.emulated(cpus.NEHALEM), str(conftest.binary()), *conftest.SERVER_ARGUMENTS]
    process = conftest.launch(*command)
    try:
        yield conftest.address_of(process)
    finally:
        conftest.end(process)


def test_the_emulated_cpu_has_no_wide_vectors(server, old_cpu):
    assert requests.get(f"{old_cpu}/v1/info", timeout=60).json()["kernel"] == "portable"
    # Were this machine as old, the comparison below would compare nothing.
    assert server.get("/v1/info")["kernel"] != "portable"


@pytest.mark.parametrize("case", range(CASES))
def test_both_answer_the_same_bytes(server, old_cpu, case):
    drawn = networks.random_case(10_000 + case)
    body = json.dumps({**drawn.create, **drawn.batch})
    answers = [
        requests.post(f"{base}/v1/explain", data=body, headers={"content-type": "application/json"}, timeout=60)
        for base in (server.base_url, old_cpu)
    ]
    assert answers[0].status_code == 200, answers[0].text
    assert answers[0].content == answers[1].content
