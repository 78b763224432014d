//! A policy: a decoder with its configuration, and its parameters as plain numbers.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor};

use crate::init::{Fresh, Noise, Nothing, build};
use crate::masters::Masters;
use crate::precision::{self, StoredType, numbers};
use crate::prompts::KeptPrompts;
use crate::trained::TrainedPath;
use crate::{
    AdapterConfig, Decoder, Generation, ModelConfig, PolicyError, PolicyPlace, Precision, lora, weights,
};

/// A decoder with what belongs to it.
#[derive(Clone, Debug)]
pub struct Policy {
    pub(crate) decoder: Decoder,
    pub(crate) adapters: Adapters,
    /// In f32, what the trained parameters are roundings of, while a policy in bf16 is trained.
    pub(crate) masters: Option<Masters>,
    pub(crate) kept: KeptPrompts,
    pub(crate) config: Arc<ModelConfig>,
    pub(crate) generation: Arc<Generation>,
    /// The directory of the weights that adapters start from.
    pub(crate) source: Option<PathBuf>,
    /// Whether adapters were added to the weights since they were read: they then lie in no directory.
    pub(crate) merged: bool,
}

/// What of a policy are adapters.
#[derive(Clone, Debug)]
pub(crate) enum Adapters {
    /// Nothing.
    None,
    /// Matrices beside the weights, which alone are trained.
    Beside(Arc<AdapterConfig>),
    /// Some of another form, which were added to the weights when they were read.
    Within,
}

/// One parameter as plain numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct ParameterValues {
    /// Its path in the decoder, which is its Hugging Face name.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Row-major values.
    pub values: Vec<f32>,
}

/// A parameter whose values are read when asked for.
pub(crate) struct Parameter {
    pub name: String,
    pub shape: Vec<usize>,
    /// How it is stored in a file.
    pub stored: StoredType,
    read: Box<dyn Fn() -> Vec<f32>>,
}

impl Parameter {
    pub(crate) fn new(
        name: String,
        shape: Vec<usize>,
        stored: StoredType,
        read: impl Fn() -> Vec<f32> + 'static,
    ) -> Self {
        Self { name, shape, stored, read: Box::new(read) }
    }

    pub(crate) fn stored_as(self, stored: StoredType) -> Self {
        Self { stored, ..self }
    }

    pub(crate) fn values(&self) -> Vec<f32> {
        (self.read)()
    }

    /// Its size as it is stored.
    pub(crate) fn bytes(&self) -> usize {
        self.shape.iter().product::<usize>() * self.stored.bytes()
    }
}

impl Policy {
    /// Reads a model directory in Hugging Face form: weights in f32, bf16 or f16, one file or
    /// shards, held in `precision`. A directory of adapters in PEFT's form is read with the base model that it
    /// names, or with that of its [`PolicyPlace`]; those of a form that is not trained are added to the weights
    /// ([`Policy::has_adapters`]).
    ///
    /// # Errors
    /// [`PolicyError`] naming the file and what was expected; all missing, unexpected and wrongly
    /// shaped tensors come in one error.
    pub fn load(
        place: impl Into<PolicyPlace>,
        precision: Precision,
        device: &Device,
    ) -> Result<Self, PolicyError> {
        let place = place.into();
        if lora::is_adapter(&place.dir) {
            return lora::load(&place, |base| Self::load_whole(base, precision, device));
        }
        Self::load_whole(&place.dir, precision, device)
    }

    fn load_whole(dir: &Path, precision: Precision, device: &Device) -> Result<Self, PolicyError> {
        Self::load_as(dir, ModelConfig::load(dir)?.with_language_head(dir)?, precision, device)
    }

    /// Reads the weights of a policy, or of a critic, as the configuration says.
    pub(crate) fn load_as(
        dir: &Path,
        mut config: ModelConfig,
        precision: Precision,
        device: &Device,
    ) -> Result<Self, PolicyError> {
        let decoder = weights::load(dir, &mut config, precision, device)?;
        let generation = Generation::load(dir, &config)?;
        let source = std::fs::canonicalize(dir).ok();
        Ok(Self::new(decoder, config, generation, source))
    }

    fn new(decoder: Decoder, config: ModelConfig, generation: Generation, source: Option<PathBuf>) -> Self {
        let (config, generation) = (Arc::new(config), Arc::new(generation));
        let (adapters, kept) = (Adapters::None, KeptPrompts::default());
        Self { decoder, adapters, masters: None, kept, config, generation, source, merged: false }
    }

    /// A policy with fresh weights in f32, a function of the seed alone.
    pub fn fresh(config: ModelConfig, generation: Generation, seed: u64, device: &Device) -> Self {
        let decoder = build(&config, &mut Fresh::new(seed), device);
        Self::new(decoder, config, generation, None)
    }

    /// A policy whose weights mean nothing, made as fast as they can be written: for measuring time and memory.
    pub fn untrained(config: ModelConfig, precision: Precision, device: &Device) -> Self {
        let decoder = build(&config, &mut Noise::new(precision), device);
        Self::new(decoder, config, Generation::default(), None)
    }

    /// Writes the policy as a Hugging Face directory with weights in its precision, or its adapters alone, where it
    /// has any, as a PEFT directory ([`Policy::merged`] gives the whole). `companions` is called with
    /// the directory while it is filled, to add the tokenizer's files. A directory of that name is
    /// replaced at once, at the end: a save that is cut off leaves the old one whole.
    ///
    /// # Errors
    /// [`PolicyError::Write`], and [`PolicyError::Companions`] for an error of `companions`.
    pub fn save<E>(
        &self,
        dir: &Path,
        companions: impl FnOnce(&Path) -> Result<(), E>,
    ) -> Result<(), PolicyError>
    where
        E: std::error::Error + Send + Sync + 'static,
    {
        self.save_stored(self.precision().into(), dir, companions)
    }

    /// As [`Policy::save`], with weights in the type that the directory says which they were read from: those of a
    /// merged policy stay as narrow as its base's.
    ///
    /// # Errors
    /// Those of [`Policy::save`], and of a directory that cannot be read any more.
    pub fn save_as_read<E>(
        &self,
        dir: &Path,
        companions: impl FnOnce(&Path) -> Result<(), E>,
    ) -> Result<(), PolicyError>
    where
        E: std::error::Error + Send + Sync + 'static,
    {
        let stored = match &self.source {
            Some(source) => weights::stored_type(source, &self.config)?,
            None => self.precision().into(),
        };
        self.save_stored(stored, dir, companions)
    }

    fn save_stored<E>(
        &self,
        stored: StoredType,
        dir: &Path,
        companions: impl FnOnce(&Path) -> Result<(), E>,
    ) -> Result<(), PolicyError>
    where
        E: std::error::Error + Send + Sync + 'static,
    {
        let companions = |dir: &Path| companions(dir).map_err(|e| PolicyError::Companions(Box::new(e)));
        weights::save(self, stored, dir, companions)
    }

    /// The same with an output head of its own, of the same numbers, where the embedding table is its head: for
    /// readers that take a shared one amiss.
    #[must_use]
    pub fn untied(&self) -> Self {
        let mut untied = self.clone();
        if self.config.tie_word_embeddings {
            untied.decoder.lm_head = Some(self.decoder.model.embed_tokens.clone());
            Arc::make_mut(&mut untied.config).untie();
            untied.masters = None;
        }
        untied
    }

    /// The directory that the policy's weights were read from.
    pub(crate) fn source(&self) -> Option<&Path> {
        self.source.as_deref()
    }

    /// The decoder, without gradients.
    pub fn decoder(&self) -> &Decoder {
        &self.decoder
    }

    /// Sizes and options.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// Stop tokens.
    pub fn generation(&self) -> &Generation {
        &self.generation
    }

    /// How its weights are stored.
    pub fn precision(&self) -> Precision {
        Precision::of(&self.decoder.head())
    }

    /// Number of parameters.
    pub fn num_params(&self) -> usize {
        self.decoder.num_params()
    }

    /// Every parameter, in the module's order.
    pub fn parameters(&self) -> Vec<ParameterValues> {
        let values = |p: Parameter| ParameterValues { values: p.values(), name: p.name, shape: p.shape };
        self.stored_parameters().into_iter().map(values).collect()
    }

    /// Every parameter, in the module's order, without its values.
    pub(crate) fn stored_parameters(&self) -> Vec<Parameter> {
        let mut read = Read { path: Vec::new(), out: Vec::new() };
        self.decoder.visit(&mut read);
        read.out
    }

    /// Changes the values of the parameters that are trained, which are those of the adapters where there
    /// are any; `change(i, values)` is called in the order of [`Policy::parameters`].
    ///
    /// From the first change on, a policy in bf16 holds the values in f32 as well: they are what `change` sees, and
    /// the weights are their roundings. Small changes so add up that each alone would be rounded away
    /// (Micikevicius et al., "Mixed Precision Training", arXiv 1710.03740).
    pub fn update(&mut self, change: impl FnMut(usize, &mut [f32])) {
        self.forget_prompts();
        let in_bf16 = self.precision() != Precision::F32;
        let masters = in_bf16.then(|| match self.masters.take() {
            Some(masters) => masters.into_numbers(),
            None => self.trained_values(),
        });
        let mut update = Update { change, index: 0, trained: TrainedPath::of(self), masters };
        // Taken out, so that the weights have one owner and are changed where they lie.
        let hollow = hollow(&self.config, &self.decoder.head().device());
        let decoder = std::mem::replace(&mut self.decoder, hollow);
        self.decoder = decoder.map(&mut update);
        self.masters = update.masters.map(Masters::Numbers);
    }

    /// The exact values of the parameters that are trained, in the order of [`Policy::update`]: of a policy in bf16 that
    /// is in training, the f32 values that its weights are roundings of. With [`Policy::set_trained_values`] they
    /// survive a save and a load to the bit, which the weights alone do not.
    pub fn trained_values(&self) -> Vec<Vec<f32>> {
        if let Some(masters) = &self.masters {
            return masters.clone().into_numbers();
        }
        let mut read = ReadTrained { trained: TrainedPath::of(self), out: Vec::new() };
        self.decoder.visit(&mut read);
        read.out
    }
}

impl Policy {
    /// Puts back the values of [`Policy::trained_values`].
    ///
    /// # Errors
    /// [`PolicyError::Values`] for values of another policy; the policy is then as it was.
    pub fn set_trained_values(&mut self, values: &[Vec<f32>]) -> Result<(), PolicyError> {
        let own: Vec<usize> = self.trained_values().iter().map(Vec::len).collect();
        let found: Vec<usize> = values.iter().map(Vec::len).collect();
        if let Some(parameter) = (0..own.len().max(found.len())).find(|&i| own.get(i) != found.get(i)) {
            let (expected, found) = (own.get(parameter).copied(), found.get(parameter).copied());
            return Err(PolicyError::Values { parameter, expected, found });
        }
        self.update(|i, own| own.copy_from_slice(&values[i]));
        Ok(())
    }
}

/// A tensor's values.
pub(crate) fn floats<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    numbers(tensor).wide()
}

struct Read {
    path: Vec<String>,
    out: Vec<Parameter>,
}

impl ModuleVisitor for Read {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let tensor = param.val();
        let (shape, stored) = (tensor.dims().to_vec(), Precision::of(&tensor).into());
        self.out.push(Parameter::new(self.path.join("."), shape, stored, move || floats(tensor.clone())));
    }
}

struct ReadTrained {
    trained: TrainedPath,
    out: Vec<Vec<f32>>,
}

impl ModuleVisitor for ReadTrained {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.trained.enter(name);
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.trained.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if self.trained.here() {
            self.out.push(floats(param.val()));
        }
    }
}

/// A decoder without layers and with next to no weights.
pub(crate) fn hollow(config: &ModelConfig, device: &Device) -> Decoder {
    let config = ModelConfig { layers: 0, ..config.clone() };
    build(&config, &mut Nothing, device)
}

struct Update<F> {
    change: F,
    index: usize,
    trained: TrainedPath,
    masters: Option<Vec<Vec<f32>>>,
}

impl<F: FnMut(usize, &mut [f32])> ModuleMapper for Update<F> {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.trained.enter(name);
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.trained.exit();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if !self.trained.here() {
            return param;
        }
        let index = self.index;
        self.index += 1;
        param.map(|tensor| {
            let (shape, device, precision) = (tensor.dims(), tensor.device(), Precision::of(&tensor));
            match &mut self.masters {
                Some(masters) => {
                    (self.change)(index, &mut masters[index]);
                    precision::tensor(precision.numbers(masters[index][..].into()), shape, &device)
                }
                None => {
                    let mut values = floats(tensor);
                    (self.change)(index, &mut values);
                    precision.tensor(values, shape, &device)
                }
            }
        })
    }
}
