import torch

from overmix.study.plan.process import as_a_worker


def test_a_worker_has_one_thread_and_no_denormals_and_leaves_the_process_as_it_was():
    before = torch.get_num_threads()
    with as_a_worker():
        assert torch.get_num_threads() == 1
        if torch.set_flush_denormal(True):
            assert float(torch.tensor(1e-38) * torch.tensor(1e-4)) == 0.0
    assert torch.get_num_threads() == before
    assert float(torch.tensor(1e-38) * torch.tensor(1e-4)) > 0.0
