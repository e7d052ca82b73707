# SPDX-License-Identifier: Apache-2.0
"""Every test of the operators runs on the CPU, where ATen computes, and on a CUDA device if there is one."""
import pytest
import torch

torch.backends.cudnn.allow_tf32 = False
torch.backends.cuda.matmul.allow_tf32 = False



def pytest_addoption(parser):
    parser.addoption("--need-cuda", action="store_true", help="without a CUDA device, exit with 77 instead of skipping")


def pytest_configure(config):
    if config.getoption("--need-cuda") and not torch.cuda.is_available():
        pytest.exit("no CUDA device", returncode=77)


needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=needs_cuda)])
def device(request):
    torch.manual_seed(0)
    return request.param


@pytest.fixture
def cuda():
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    torch.manual_seed(0)
    return "cuda"
