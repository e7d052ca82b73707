// SPDX-License-Identifier: Apache-2.0
// The short way of a call in eager mode: from Python to the kernel without the dispatcher, and with
// the gradient recorded here. Against PyTorch's and Python's own headers, so it serves just the
// versions it was compiled for; dwconv_torch/eager.py loads it for no other.
#include <Python.h>

#include <ATen/PythonTorchFunctionTLS.h>
#include <ATen/autocast_mode.h>
#include <torch/csrc/Exceptions.h>
#include <torch/csrc/autograd/python_variable.h>

#include "eager_calls.hpp"
#include "eager_gradient.hpp"

namespace dwconv_torch {

namespace {

bool number_of(PyObject* object, std::int64_t& number)
{
  if (!PyLong_CheckExact(object)) { return false; }
  number = PyLong_AsLongLong(object);
  if (number == -1 && PyErr_Occurred() != nullptr) {
    PyErr_Clear();
    return false;
  }
  return true;
}

/// The numbers of a tuple of so many.
template <std::size_t Count>
bool numbers_of(PyObject* object, std::array<std::int64_t, Count>& numbers)
{
  if (!PyTuple_CheckExact(object) || PyTuple_GET_SIZE(object) != Count) { return false; }
  for (std::size_t i = 0; i < Count; ++i) {
    if (!number_of(PyTuple_GET_ITEM(object, static_cast<Py_ssize_t>(i)), numbers[i])) {
      return false;
    }
  }
  return true;
}

/// A number for both axes, or a pair.
bool extent_of(PyObject* object, dwconv::extent2& extent)
{
  std::array<std::int64_t, 2> pair{};
  if (number_of(object, pair[0])) {
    pair[1] = pair[0];
  } else if (!numbers_of(object, pair)) {
    return false;
  }
  extent = {pair[0], pair[1]};
  return true;
}

/// Likewise, or top, bottom, left and right.
bool padding_of(PyObject* object, dwconv::padding2& padding)
{
  if (std::array<std::int64_t, 4> four{}; numbers_of(object, four)) {
    padding = {four[0], four[1], four[2], four[3]};
    return true;
  }
  dwconv::extent2 both;
  if (!extent_of(object, both)) { return false; }
  padding = {both.height, both.height, both.width, both.width};
  return true;
}

/// Not a subclass, which may have its own idea of a convolution, and no dual of forward-mode
/// derivatives.
bool tensor_of(PyObject* object, at::Tensor& tensor)
{
  if (!THPVariable_CheckExact(object)) { return false; }
  tensor = THPVariable_Unpack(object);
  return !tensor._fw_grad(/*level=*/0).defined();
}

/// What F.conv2d's own rule makes of the arguments under autocast.
void lower_precision(at::Tensor& x, at::Tensor& weight, at::Tensor& bias)
{
  if (!at::autocast::is_autocast_enabled(at::kCUDA)) { return; }
  c10::impl::ExcludeDispatchKeyGuard const no_autocast(c10::DispatchKey::AutocastCUDA);
  at::ScalarType const type = at::autocast::get_autocast_dtype(at::kCUDA);
  x                         = at::autocast::cached_cast(type, x);
  weight                    = at::autocast::cached_cast(type, weight);
  if (bias.defined()) { bias = at::autocast::cached_cast(type, bias); }
}

/// y, or an undefined tensor where the call is not one for here. That is asked before anything is
/// cast, since the long way casts again: casts keep everything but the type.
at::Tensor convolved(at::Tensor x, at::Tensor weight, at::Tensor bias, geometry const& how,
                     activation kind)
{
  pybind11::gil_scoped_release const others_may_run;
  if (kind != activation::none && wants_gradient(x, weight, bias)) { return {}; }
  std::optional<dwconv::conv2d_problem> const problem = problem_on(x, weight, bias, how);
  if (!problem) { return {}; }
  lower_precision(x, weight, bias);
  std::optional<eager_call> const call = call_of(*problem, x, weight, bias);
  if (!call) { return {}; }
  if (!wants_gradient(x, weight, bias)) { return run_forward(*call, x, weight, bias, kind); }
  return record_forward(*call, x, weight, bias, how);
}

constexpr char const* convolve_doc =
  "convolve(x, weight, bias, stride, padding, dilation, activation, channels) -> Tensor or None\n\n"
  "y, recorded if a gradient is wanted; None where the call must go another way. channels is the "
  "number that x\n"
  "must have, or 0.";

PyObject* convolve(PyObject* /*module*/, PyObject* const* arguments, Py_ssize_t count)
{
  HANDLE_TH_ERRORS
  if (count != 8) {
    return PyErr_Format(PyExc_TypeError, "convolve takes 8 arguments, not %zd", count);
  }
  geometry how;
  at::Tensor x, weight, bias;
  std::int64_t kind = 0, channels = 0;
  if (lookup() == nullptr || at::impl::torch_function_mode_enabled() ||
      !tensor_of(arguments[0], x) || !tensor_of(arguments[1], weight) ||
      !(arguments[2] == Py_None || tensor_of(arguments[2], bias)) ||
      !extent_of(arguments[3], how.stride) || !padding_of(arguments[4], how.pad) ||
      !extent_of(arguments[5], how.dilation) || !number_of(arguments[6], kind) ||
      !number_of(arguments[7], channels)) {
    Py_RETURN_NONE;
  }
  if (kind < 0 || kind > static_cast<std::int64_t>(activation::gelu_tanh)) { Py_RETURN_NONE; }
  if (channels != 0 && !(x.dim() == 4 && x.size(1) == channels)) { Py_RETURN_NONE; }
  at::Tensor y =
    convolved(std::move(x), std::move(weight), std::move(bias), how, static_cast<activation>(kind));
  if (!y.defined()) { Py_RETURN_NONE; }
  return THPVariable_Wrap(std::move(y));
  END_HANDLE_TH_ERRORS
}

PyObject* attach(PyObject* /*module*/, PyObject* address)
{
  void* const found = PyLong_AsVoidPtr(address);
  if (PyErr_Occurred() != nullptr) { return nullptr; }
  auto const calls   = reinterpret_cast<calls_lookup>(found);
  bool const matches = [&] {
    for (auto const element : {dwconv::dtype::float16, dwconv::dtype::bfloat16,
                               dwconv::dtype::float32, dwconv::dtype::float64}) {
      if (calls(calls_layout, static_cast<int>(element)) != nullptr) { return true; }
    }
    return false;
  }();
  if (matches) { lookup() = calls; }
  return PyBool_FromLong(matches ? 1 : 0);
}

PyMethodDef methods[] = {
  {"convolve", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(&convolve)),
   METH_FASTCALL, convolve_doc},
  {"attach", &attach, METH_O,
   "attach(address of dwconv_torch_calls) -> whether it fits what was compiled here"},
  {nullptr, nullptr, 0, nullptr}};

PyModuleDef module_of_calls = {PyModuleDef_HEAD_INIT,
                               "dwconv_torch eager calls",
                               nullptr,
                               -1,
                               methods,
                               nullptr,
                               nullptr,
                               nullptr,
                               nullptr};

}  // namespace

}  // namespace dwconv_torch

#define DWCONV_TORCH_INIT_(name) PyInit_##name
#define DWCONV_TORCH_INIT(name)  DWCONV_TORCH_INIT_(name)

PyMODINIT_FUNC DWCONV_TORCH_INIT(TORCH_EXTENSION_NAME)()
{
  return PyModule_Create(&dwconv_torch::module_of_calls);
}
