//! Several tensors of one device as one argument of an operation.

use burn::backend::tensor::FloatTensor;
use burn::backend::{
    Backend, BackendTensor, Dispatch, DispatchAutodiffContext, DispatchTensor, DispatchTensorKind,
    ExtensionType,
};
use toolrl_layout::NewRows;

/// Declares a container of a backend's tensors, given how to change each of them and which says where they are.
macro_rules! container {
    ($doc:literal, $name:ident($of:ident), |$held:ident, $change:ident| $map:expr, |$whole:ident| $first:expr) => {
        #[doc = $doc]
        #[derive(Debug)]
        pub struct $name<B: Backend>(pub $of<FloatTensor<B>>);

        impl<B: Backend> ExtensionType<B> for $name<B> {
            type Target = $name<Dispatch>;

            fn map_to_dispatch<F>(self, kind: F, autodiff: DispatchAutodiffContext) -> Self::Target
            where
                F: Fn(BackendTensor<B>) -> DispatchTensorKind,
            {
                let $change = |t| DispatchTensor { kind: kind(BackendTensor::Float(t)), autodiff };
                let $held = self.0;
                $name($map)
            }

            fn map_from_dispatch<F>(target: Self::Target, unwrap: F) -> Self
            where
                F: Fn(DispatchTensor) -> BackendTensor<B>,
            {
                let $change = |t| unwrap(t).float();
                let $held = target.0;
                Self($map)
            }

            fn routing_tensor($whole: &Self::Target) -> Option<&DispatchTensor> {
                $first
            }

            fn routing_float_tensor($whole: &Self::Target) -> Option<&DispatchTensor> {
                $first
            }
        }
    };
}

container!(
    "Any number of tensors.",
    Tensors(Vec),
    |held, change| held.into_iter().map(change).collect(),
    |whole| whole.0.first()
);
container!(
    "[`NewRows`] of tensors.",
    RowTensors(NewRows),
    |held, change| held.map(&change, &change),
    |whole| Some(whole.0.qkv.first())
);
