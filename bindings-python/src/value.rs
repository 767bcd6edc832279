//! Data across the border: Python's own types on one side, JSON on the other, one call deep.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};
use serde_json::{Map, Number, Value};

/// JSON as `dict`, `list`, `str`, `int`, `float`, `bool` and `None`.
pub(crate) fn to_py<'py>(py: Python<'py>, value: &Value) -> PyResult<Bound<'py, PyAny>> {
    Ok(match value {
        Value::Null => py.None().into_bound(py),
        Value::Bool(yes) => PyBool::new(py, *yes).to_owned().into_any(),
        Value::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(number), _) => number.into_pyobject(py)?.into_any(),
            (None, Some(number)) => number.into_pyobject(py)?.into_any(),
            (None, None) => PyFloat::new(py, number.as_f64().unwrap_or(f64::NAN)).into_any(),
        },
        Value::String(text) => PyString::new(py, text).into_any(),
        Value::Array(items) => {
            let list = PyList::empty(py);
            for item in items {
                list.append(to_py(py, item)?)?;
            }
            list.into_any()
        }
        Value::Object(map) => {
            let dict = PyDict::new(py);
            for (key, value) in map {
                dict.set_item(key, to_py(py, value)?)?;
            }
            dict.into_any()
        }
    })
}

/// The way back. What is not JSON was converted or refused by the Python half already.
pub(crate) fn from_py(value: &Bound<'_, PyAny>) -> PyResult<Value> {
    nested(value, 0)
}

fn nested(value: &Bound<'_, PyAny>, depth: usize) -> PyResult<Value> {
    if depth > DEEPEST {
        return Err(PyTypeError::new_err("the value is nested too deeply"));
    }
    if value.is_none() {
        return Ok(Value::Null);
    }
    if let Ok(text) = value.cast::<PyString>() {
        // A lone surrogate is no character: it becomes U+FFFD, as it does for every face.
        return Ok(Value::String(text.to_string_lossy().into_owned()));
    }
    if let Ok(yes) = value.cast::<PyBool>() {
        return Ok(Value::Bool(yes.is_true()));
    }
    if value.is_instance_of::<PyInt>() {
        let number = value.extract::<i64>().map(Number::from);
        return Ok(Value::Number(number.or_else(|_| value.extract::<u64>().map(Number::from))?));
    }
    if let Ok(number) = value.cast::<PyFloat>() {
        return Number::from_f64(number.value())
            .map(Value::Number)
            .ok_or_else(|| PyTypeError::new_err("a number must be finite"));
    }
    if let Ok(dict) = value.cast::<PyDict>() {
        let mut map = Map::with_capacity(dict.len());
        for (key, value) in dict {
            let key = key.cast::<PyString>()?.to_string_lossy().into_owned();
            map.insert(key, nested(&value, depth + 1)?);
        }
        return Ok(Value::Object(map));
    }
    let items = if let Ok(list) = value.cast::<PyList>() {
        list.iter().map(|item| nested(&item, depth + 1)).collect::<PyResult<_>>()?
    } else if let Ok(tuple) = value.cast::<PyTuple>() {
        tuple.iter().map(|item| nested(&item, depth + 1)).collect::<PyResult<_>>()?
    } else {
        return Err(PyTypeError::new_err(format!("{} is no value here", value.get_type().name()?)));
    };
    Ok(Value::Array(items))
}

const DEEPEST: usize = 64;
