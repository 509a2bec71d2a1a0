from collections import OrderedDict, UserDict, namedtuple

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

from overmix.errors import DataError
from overmix.mix import InputSpace, MixPlan, gather_partners

FLOATS = [torch.float16, torch.bfloat16, torch.float32, torch.float64]
LAYOUTS = [(), (5,), (7, 3), (3, 4, 4), (2, 3, 4, 4), (0,)]


def mix(x, partner, lam):
    return InputSpace().apply(MixPlan(partner, lam), x)


def random_plan(batch_size, seed=0):
    g = torch.Generator().manual_seed(seed)
    return MixPlan(torch.randperm(batch_size, generator=g), torch.rand(batch_size, generator=g))


@given(st.integers(0, 9), st.sampled_from(LAYOUTS), st.sampled_from(FLOATS), st.integers(0, 2**31))
def test_mixture_is_the_weighted_sum_of_sample_and_partner(batch_size, layout, dtype, seed):
    plan = random_plan(batch_size, seed)
    x = torch.randn(batch_size, *layout, generator=torch.Generator().manual_seed(seed)).to(dtype)
    mixed = InputSpace().apply(plan, x)
    assert mixed.shape == x.shape
    assert mixed.dtype == dtype
    for i in range(batch_size):
        lam = plan.lam[i].double()
        expected = lam * x[i].double() + (1 - lam) * x[plan.partner[i]].double()
        # lam is rounded to the dtype, and so are the product and the sum: three roundings of numbers of size 10.
        torch.testing.assert_close(mixed[i].double(), expected, atol=30 * torch.finfo(dtype).eps, rtol=0)


@given(st.integers(1, 9), st.sampled_from(LAYOUTS), st.sampled_from(FLOATS), st.integers(0, 2**31))
def test_lam_one_is_the_identity_and_lam_zero_the_partner_exactly(batch_size, layout, dtype, seed):
    g = torch.Generator().manual_seed(seed)
    x = (1e4 * torch.randn(batch_size, *layout, generator=g)).to(dtype)
    partner = torch.randperm(batch_size, generator=g)
    assert torch.equal(mix(x, partner, torch.ones(batch_size)), x)
    assert torch.equal(mix(x, partner, torch.zeros(batch_size)), x[partner])


@given(st.integers(1, 9), st.integers(0, 2**31))
def test_a_sample_that_is_its_own_partner_stays_itself_exactly(batch_size, seed):
    g = torch.Generator().manual_seed(seed)
    x, lam = torch.randn(batch_size, 6, generator=g), torch.rand(batch_size, generator=g)
    assert torch.equal(mix(x, torch.arange(batch_size), lam), x)


def test_the_weight_belongs_to_the_sample_itself():
    x = torch.tensor([[0.0], [1.0], [10.0]])
    mixed = mix(x, torch.tensor([1, 2, 0]), torch.tensor([0.75, 0.5, 1.0]))
    assert mixed.flatten().tolist() == [0.25, 5.5, 10.0]


@pytest.mark.parametrize("dtype", [*FLOATS, torch.uint8])
def test_the_batch_is_not_touched_and_shares_no_memory_with_the_mixture(dtype):
    x = torch.arange(48).view(4, 3, 2, 2).to(dtype)
    before = x.clone()
    mixed = InputSpace().apply(MixPlan(torch.tensor([1, 0, 3, 2]), torch.full((4,), 0.5)), x)
    mixed.fill_(7)
    assert torch.equal(x, before)
    assert x._version == 0


@pytest.mark.parametrize("dtype", FLOATS)
def test_unmixed_floats_are_the_very_batch(dtype):
    x = torch.zeros(3, 2, dtype=dtype)
    assert InputSpace().unmixed(x) is x


def test_images_of_bytes_are_mixed_without_rounding_and_keep_their_scale():
    x = torch.tensor([[0], [255]], dtype=torch.uint8)
    mixed = InputSpace().apply(MixPlan(torch.tensor([1, 0]), torch.tensor([0.9, 0.9])), x)
    torch.testing.assert_close(mixed, torch.tensor([[25.5], [229.5]]))
    unmixed = InputSpace().unmixed(x)
    assert unmixed.dtype == torch.float32
    assert unmixed.flatten().tolist() == [0, 255]


@pytest.mark.parametrize("dtype", [torch.int8, torch.int16, torch.int32, torch.int64, torch.bool, torch.complex64])
def test_numbers_without_an_average_are_refused_with_a_remedy(dtype):
    x = torch.zeros(2, 3).to(dtype)
    plan = random_plan(2)
    for call in (lambda: InputSpace().apply(plan, x), lambda: InputSpace().unmixed(x)):
        with pytest.raises(DataError, match=rf"x has dtype {dtype}, .*: give floats or uint8 images"):
            call()


def leaves(nest):
    if isinstance(nest, torch.Tensor):
        return [nest]
    return [leaf for part in (nest.values() if hasattr(nest, "values") else nest) for leaf in leaves(part)]


Pair = namedtuple("Pair", ["image", "table"])


def parts():
    return torch.rand(4, 3, 5, 5), torch.rand(4, 2).double()


@pytest.mark.parametrize(
    "wrap",
    [
        lambda a, b: [a, b],
        lambda a, b: (a, b),
        lambda a, b: Pair(a, b),
        lambda a, b: {"image": a, "more": {"table": b}},
        lambda a, b: OrderedDict(image=a, rest=[b]),
        lambda a, b: UserDict(image=a, rest=(b, (b,))),
    ],
    ids=["list", "tuple", "namedtuple", "nested-dict", "ordered-dict", "mapping"],
)
def test_all_parts_of_a_nested_input_are_mixed_by_one_plan(wrap):
    first, second = parts()
    plan = random_plan(4)
    separately = wrap(InputSpace().apply(plan, first), InputSpace().apply(plan, second))
    together = InputSpace().apply(plan, wrap(first, second))
    expected_leaves, found_leaves = leaves(separately), leaves(together)
    assert len(expected_leaves) == len(found_leaves) >= 2
    for expected, found in zip(expected_leaves, found_leaves, strict=True):
        assert torch.equal(expected, found)
        assert expected.dtype == found.dtype
    if isinstance(separately, tuple | list):
        assert type(together) is type(separately)


@pytest.mark.parametrize("intruder", [3, "text"])
def test_something_else_in_a_nested_input_is_refused(intruder):
    with pytest.raises(DataError, match=f"x holds a {type(intruder).__name__}: give a tensor"):
        InputSpace().apply(random_plan(2), [torch.zeros(2, 1), intruder])


@pytest.mark.parametrize("shape", [(), (3, 2), (5, 2)])
def test_a_batch_of_another_size_than_the_plans_is_refused(shape):
    with pytest.raises(DataError, match="the plan is for a batch of 4 samples"):
        InputSpace().apply(random_plan(4), torch.zeros(shape))
    with pytest.raises(DataError, match="the plan is for a batch of 4 samples"):
        InputSpace().apply(random_plan(4), {"a": torch.zeros(4, 2), "b": torch.zeros(shape)})


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_memory_format_is_kept(memory_format):
    x = torch.randn(4, 3, 5, 6).contiguous(memory_format=memory_format)
    plan = random_plan(4)
    mixed = InputSpace().apply(plan, x)
    assert mixed.is_contiguous(memory_format=memory_format)
    assert torch.equal(mixed, InputSpace().apply(plan, x.contiguous()))


def test_views_and_expanded_batches_are_mixed_as_their_values():
    plan = random_plan(4)
    for x in (torch.randn(3, 4).T, torch.randn(1, 3).expand(4, 3), torch.randn(8, 3)[::2]):
        assert torch.equal(InputSpace().apply(plan, x), InputSpace().apply(plan, x.contiguous()))


def test_gradients_flow_to_sample_and_partner_with_their_weights():
    x = torch.randn(3, 2, dtype=torch.float64, requires_grad=True)
    plan = random_plan(3)
    assert torch.autograd.gradcheck(lambda batch: InputSpace().apply(plan, batch), (x,))


class NewMemory(TorchDispatchMode):
    """Sizes of the storages that operations allocate, in bytes."""

    def __init__(self):
        super().__init__()
        self.sizes = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        known = {t.untyped_storage().data_ptr() for t in args if isinstance(t, torch.Tensor)}
        out = func(*args, **(kwargs or {}))
        if isinstance(out, torch.Tensor) and out.untyped_storage().data_ptr() not in known:
            self.sizes.append(out.untyped_storage().nbytes())
        return out


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_mixing_allocates_the_mixture_and_nothing_else_of_the_batches_size(memory_format):
    x = torch.randn(64, 3, 16, 16).contiguous(memory_format=memory_format)
    plan = random_plan(64)
    with NewMemory() as memory:
        InputSpace().apply(plan, x)
    batch = x.untyped_storage().nbytes()
    assert [size for size in memory.sizes if size > batch // 16] == [batch]


@given(st.integers(1, 4), st.integers(1, 6), st.sampled_from(LAYOUTS[:4]), st.integers(0, 2**31))
def test_a_stack_of_batches_is_mixed_as_each_alone(replicas, batch_size, layout, seed):
    plans = [random_plan(batch_size, seed + r) for r in range(replicas)]
    x = torch.randn(replicas, batch_size, *layout, generator=torch.Generator().manual_seed(seed))
    looped = torch.stack([InputSpace().apply(plan, batch) for plan, batch in zip(plans, x, strict=True)])
    assert torch.equal(InputSpace().apply(MixPlan.stack(plans), x), looped)


def test_partners_may_come_from_elsewhere_and_are_combined_without_a_copy():
    plan = random_plan(4)
    x, partners = torch.randn(2, 4, 3)
    expected = plan.lam[:, None] * x + (1 - plan.lam[:, None]) * partners
    mixed = InputSpace().combine(plan, x, partners)
    torch.testing.assert_close(mixed, expected)
    assert mixed.data_ptr() == partners.data_ptr()


def test_gathered_partners_are_the_batch_in_the_plans_order():
    x = torch.arange(12.0).view(2, 3, 2)
    assert gather_partners(x[0], torch.tensor([2, 0, 0])).tolist() == [[4, 5], [0, 1], [0, 1]]
    stacked = gather_partners(x, torch.tensor([[2, 0, 0], [1, 1, 2]]))
    assert stacked.tolist() == [[[4, 5], [0, 1], [0, 1]], [[8, 9], [8, 9], [10, 11]]]
