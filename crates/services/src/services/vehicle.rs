//! VehicleControlAPI: a car.

mod map;

use super::refused;
use crate::ServicesError;
use crate::python::{Function, Operator, Outcome, Raised, Random, arithmetic, float_of, function, iterate};
use crate::service::{Context, Scenario, Service, no_function};
use crate::value::{Dict, Key, Order, Value, dict};

pub(crate) const FUNCTIONS: &[Function] = &[
    function("startEngine", &["ignitionMode"], &[]),
    function("fillFuelTank", &["fuelAmount"], &[]),
    function("lockDoors", &["unlock", "door"], &[]),
    function("adjustClimateControl", &["temperature"], &["unit", "fanSpeed", "mode"]),
    function("get_outside_temperature_from_google", &[], &[]),
    function("get_outside_temperature_from_weather_com", &[], &[]),
    function("setHeadlights", &["mode"], &[]),
    function("displayCarStatus", &["option"], &[]),
    function("activateParkingBrake", &["mode"], &[]),
    function("pressBrakePedal", &["pedalPosition"], &[]),
    function("releaseBrakePedal", &[], &[]),
    function("setCruiseControl", &["speed", "activate", "distanceToNextVehicle"], &[]),
    function("get_current_speed", &[], &[]),
    function("display_log", &["messages"], &[]),
    function("estimate_drive_feasibility_by_mileage", &["distance"], &[]),
    function("liter_to_gallon", &["liter"], &[]),
    function("gallon_to_liter", &["gallon"], &[]),
    function("estimate_distance", &["cityA", "cityB"], &[]),
    function("get_zipcode_based_on_city", &["city"], &[]),
    function("set_navigation", &["destination"], &[]),
    function("check_tire_pressure", &[], &[]),
    function("find_nearest_tire_shop", &[], &[]),
];

/// Gallons.
const MAX_FUEL_LEVEL: i64 = 50;
const MILES_PER_GALLON: f64 = 20.0;

/// The four tires, as the scenario and the state name their pressures.
const TIRES: [(&str, f64); 4] = [
    ("frontLeftTirePressure", 32.0),
    ("frontRightTirePressure", 32.0),
    ("rearLeftTirePressure", 30.0),
    ("rearRightTirePressure", 30.0),
];

pub(crate) struct Vehicle {
    context: Context,
    random: Random,
    fuel: Value,
    battery: Value,
    engine: Value,
    unlocked: i64,
    doors: Dict,
    temperature: Value,
    fan: Value,
    mode: Value,
    humidity: Value,
    headlights: Value,
    parking_brake: Value,
    parking_force: Value,
    slope: Value,
    pedal: Value,
    pedal_force: Value,
    next_vehicle: Value,
    cruise: Value,
    destination: Value,
    tires: [Value; 4],
}

fn unlocked_doors() -> Dict {
    Dict::of(["driver", "passenger", "rear_left", "rear_right"].map(|door| (door, "unlocked".into())))
}

impl Vehicle {
    pub(crate) fn load(scenario: &Scenario<'_>, context: &Context) -> Result<Self, ServicesError> {
        let doors = scenario.dict("doorStatus", unlocked_doors)?;
        let locked = doors.values().filter(|status| status.is_str("locked")).count() as i64;
        Ok(Self {
            context: context.clone(),
            random: Random::new(&scenario.seed(141_053)?),
            fuel: scenario.get("fuelLevel", 0.0),
            battery: scenario.get("batteryVoltage", 12.6),
            engine: scenario.get("engineState", "stopped"),
            unlocked: 4 - locked,
            doors,
            temperature: scenario.get("acTemperature", 25.0),
            fan: scenario.get("fanSpeed", 50),
            mode: scenario.get("acMode", "auto"),
            humidity: scenario.get("humidityLevel", 50.0),
            headlights: scenario.get("headLightStatus", "off"),
            parking_brake: scenario.get("parkingBrakeStatus", "released"),
            parking_force: scenario.get("parkingBrakeForce", 0.0),
            slope: scenario.get("slopeAngle", 0.0),
            pedal: scenario.get("brakePedalStatus", "released"),
            pedal_force: scenario.get("brakePedalForce", 0.0),
            next_vehicle: scenario.get("distanceToNextVehicle", 50.0),
            cruise: scenario.get("cruiseStatus", "inactive"),
            destination: scenario.get("destination", "None"),
            tires: TIRES.map(|(name, pressure)| scenario.get(name, pressure)),
        })
    }

    fn start(&mut self, mode: &Value) -> Outcome {
        if mode.is_str("STOP") {
            self.engine = "stopped".into();
        }
        if self.unlocked > 0 {
            let open = self.doors.iter().filter(|(_, status)| status.is_str("unlocked"));
            let open: Vec<Value> = open.map(|(door, _)| door.value()).collect();
            let open = crate::python::join(&open)?;
            return Ok(refused(format!(
                "All doors must be locked before starting the engine. Here are the unlocked doors: {open}"
            )));
        }
        if !self.pedal.is_str("pressed") {
            return Ok(refused("Brake pedal needs to be pressed when starting the engine."));
        }
        if self.pedal_force != Value::Float(1000.0) {
            return Ok(refused("Must press the brake fully before starting the engine."));
        }
        if self.fuel.compares(Order::Less, &0.0.into())? {
            return Ok(refused("Fuel tank is empty."));
        }
        if !mode.is_str("START") {
            return Ok(refused("Invalid ignition mode."));
        }
        self.engine = "running".into();
        Ok(dict! {
            "engineState": "running",
            "fuelLevel": self.fuel.clone(),
            "batteryVoltage": self.battery.clone(),
        })
    }

    fn fill(&mut self, amount: &Value) -> Outcome {
        if amount.compares(Order::Less, &0.into())? {
            return Ok(refused("Fuel amount cannot be negative."));
        }
        let level = arithmetic(Operator::Add, &self.fuel, amount)?;
        if level.compares(Order::Greater, &MAX_FUEL_LEVEL.into())? {
            return Ok(refused("Cannot fill gas above the tank capacity."));
        }
        if level.compares(Order::Less, &0.0.into())? {
            return Ok(refused("Fuel tank is empty. Min fuel level is 0 gallons."));
        }
        self.fuel = level;
        Ok(dict! {"fuelLevel": self.fuel.clone()})
    }

    fn lock(&mut self, unlock: &Value, doors: &Value) -> Outcome {
        let (status, step) = if unlock.truthy() { ("unlocked", 1) } else { ("locked", -1) };
        for door in iterate(doors)? {
            let key = Key::of(&door)?;
            let own = self.doors.at(&key).ok_or_else(|| Raised::key(&key))?;
            if !own.is_str(status) {
                self.doors.insert(key, status.into());
                self.unlocked += step;
            }
        }
        Ok(dict! {"lockStatus": status, "remainingUnlockedDoors": self.unlocked})
    }

    fn climate(
        &mut self,
        temperature: &Value,
        unit: Option<&Value>,
        fan: Option<&Value>,
        mode: Option<&Value>,
    ) -> Outcome {
        let fan = fan.cloned().unwrap_or_else(|| 50.into());
        if !(Value::from(0).compares(Order::LessOrEqual, &fan)?
            && fan.compares(Order::LessOrEqual, &100.into())?)
        {
            return Ok(refused("Fan speed must be between 0 and 100."));
        }
        self.temperature = temperature.clone();
        if unit.is_some_and(|unit| unit.is_str("fahrenheit")) {
            let above = arithmetic(Operator::Subtract, temperature, &32.into())?;
            let fifths = arithmetic(Operator::Multiply, &above, &5.into())?;
            self.temperature = arithmetic(Operator::Divide, &fifths, &9.into())?;
        }
        self.fan = fan;
        self.mode = mode.cloned().unwrap_or_else(|| "auto".into());
        Ok(dict! {
            "currentACTemperature": temperature.clone(),
            "climateMode": self.mode.clone(),
            "humidityLevel": self.humidity.clone(),
        })
    }

    fn outside_temperature(&mut self) -> Value {
        let mut report = self.context.texts().map_or_else(Dict::default, |texts| texts.weather.clone());
        report.set("outsideTemperature", self.random.uniform(-10.0, 40.0));
        report.into()
    }

    fn set_headlights(&mut self, mode: &Value) -> Value {
        if !["on", "off", "auto"].iter().any(|known| mode.is_str(known)) {
            return refused("Invalid headlight mode.");
        }
        self.headlights = if mode.is_str("on") { "on" } else { "off" }.into();
        dict! {"headlightStatus": self.headlights.clone()}
    }

    fn status(&self, option: &Value) -> Value {
        let mut status = Dict::default();
        if let Some(texts) = self.context.texts() {
            status.set("metadata", texts.car_status.clone());
        }
        let option = if let Value::Str(option) = option { option.as_str() } else { "" };
        let shown: &[(&str, &Value)] = match option {
            "fuel" => &[("fuelLevel", &self.fuel)],
            "battery" => &[("batteryVoltage", &self.battery)],
            "doors" => &[("doorStatus", &self.doors.clone().into())],
            "climate" => &[
                ("currentACTemperature", &self.temperature),
                ("fanSpeed", &self.fan),
                ("climateMode", &self.mode),
                ("humidityLevel", &self.humidity),
            ],
            "headlights" => &[("headlightStatus", &self.headlights)],
            "parkingBrake" => &[
                ("parkingBrakeStatus", &self.parking_brake),
                ("parkingBrakeForce", &self.parking_force),
                ("slopeAngle", &self.slope),
            ],
            "brakePedal" => &[("brakePedalStatus", &self.pedal), ("brakePedalForce", &self.pedal_force)],
            "engine" => &[("engineState", &self.engine)],
            _ => &[("error", &"Invalid option".into())],
        };
        for (name, value) in shown {
            status.set(name, (*value).clone());
        }
        status.into()
    }

    fn set_parking_brake(&mut self, mode: &Value) -> Value {
        let (status, force) = match mode {
            _ if mode.is_str("engage") => ("engaged", 500.0),
            _ if mode.is_str("release") => ("released", 0.0),
            _ => return refused("Invalid mode"),
        };
        self.parking_brake = status.into();
        self.parking_force = force.into();
        self.slope = 10.0.into();
        let mut report = Dict::default();
        if let Some(texts) = self.context.texts() {
            report.set("parkingBrakeInstruction", texts.parking_brake.clone());
        }
        report.set("parkingBrakeStatus", status);
        report.set("_parkingBrakeForce", force);
        report.set("_slopeAngle", 10.0);
        report.into()
    }

    fn press(&mut self, position: &Value) -> Outcome {
        let (none, full) = (Value::from(0), Value::from(1));
        if !(none.compares(Order::LessOrEqual, position)? && position.compares(Order::LessOrEqual, &full)?) {
            return Ok(refused("Pedal position must be between 0 and 1."));
        }
        if *position == none {
            return Ok(self.release());
        }
        // Newtons.
        let force = arithmetic(Operator::Multiply, position, &1000.into())?;
        self.pedal = "pressed".into();
        self.pedal_force = force.clone();
        Ok(dict! {"brakePedalStatus": "pressed", "brakePedalForce": float_of(&force)?})
    }

    fn release(&mut self) -> Value {
        self.pedal = "released".into();
        self.pedal_force = 0.0.into();
        dict! {"brakePedalStatus": "released", "brakePedalForce": 0.0}
    }

    fn set_cruise(&mut self, speed: &Value, activate: &Value, distance: &Value) -> Outcome {
        let distance = float_of(distance)?;
        let speed = float_of(speed)?;
        if self.engine.is_str("stopped") {
            return Ok(refused("Start the engine before activating the cruise control."));
        }
        self.next_vehicle = distance.into();
        let status = if activate.truthy() { "active" } else { "inactive" };
        if activate.truthy() && (!(0.0..=120.0).contains(&speed) || speed % 5.0 != 0.0) {
            return Ok(refused("Invalid speed"));
        }
        self.cruise = status.into();
        Ok(dict! {"cruiseStatus": status, "currentSpeed": speed, "distanceToNextVehicle": distance})
    }

    fn can_drive(&self, distance: &Value) -> Outcome {
        let range = arithmetic(Operator::Multiply, &self.fuel, &MILES_PER_GALLON.into())?;
        Ok(dict! {"canDrive": !range.compares(Order::Less, distance)?})
    }

    fn navigate(&mut self, destination: &Value) -> Outcome {
        self.destination = destination.clone();
        Ok(dict! {"status": arithmetic(Operator::Add, &"Navigating to ".into(), destination)?})
    }

    fn tire_pressure(&self) -> Outcome {
        let [first, rest @ ..] = &self.tires;
        let total = rest.iter().try_fold(first.clone(), |sum, tire| arithmetic(Operator::Add, &sum, tire))?;
        let mean = arithmetic(Operator::Divide, &total, &4.into())?;
        let healthy = Value::from(30).compares(Order::LessOrEqual, &mean)?
            && mean.compares(Order::LessOrEqual, &35.into())?;
        let mut report = Dict::of([]);
        for ((name, _), pressure) in TIRES.iter().zip(&self.tires) {
            report.set(name, pressure.clone());
        }
        report.set("healthy_tire_pressure", healthy);
        let info = self.context.texts().map(|texts| texts.car_status.clone());
        report.set("car_info", info.unwrap_or_else(|| Dict::default().into()));
        Ok(report.into())
    }
}

impl Service for Vehicle {
    fn call(&mut self, function: &str, slots: &[Option<&Value>]) -> Outcome {
        let times = |value: &Value, factor: f64| arithmetic(Operator::Multiply, value, &factor.into());
        match (function, slots) {
            ("startEngine", &[Some(mode)]) => self.start(mode),
            ("fillFuelTank", &[Some(amount)]) => self.fill(amount),
            ("lockDoors", &[Some(unlock), Some(doors)]) => self.lock(unlock, doors),
            ("adjustClimateControl", &[Some(temperature), unit, fan, mode]) => {
                self.climate(temperature, unit, fan, mode)
            }
            ("get_outside_temperature_from_google", []) => Ok(self.outside_temperature()),
            ("get_outside_temperature_from_weather_com", []) => Ok(dict! {"error": 404}),
            ("setHeadlights", &[Some(mode)]) => Ok(self.set_headlights(mode)),
            ("displayCarStatus", &[Some(option)]) => Ok(self.status(option)),
            ("activateParkingBrake", &[Some(mode)]) => Ok(self.set_parking_brake(mode)),
            ("pressBrakePedal", &[Some(position)]) => self.press(position),
            ("releaseBrakePedal", []) => Ok(self.release()),
            ("setCruiseControl", &[Some(speed), Some(activate), Some(distance)]) => {
                self.set_cruise(speed, activate, distance)
            }
            ("get_current_speed", []) => Ok(dict! {"currentSpeed": self.random.uniform(0.0, 120.0)}),
            ("display_log", &[Some(messages)]) => Ok(dict! {"log": messages.clone()}),
            ("estimate_drive_feasibility_by_mileage", &[Some(distance)]) => self.can_drive(distance),
            ("liter_to_gallon", &[Some(liter)]) => Ok(dict! {"gallon": times(liter, 0.264172)?}),
            ("gallon_to_liter", &[Some(gallon)]) => Ok(dict! {"liter": times(gallon, 3.78541)?}),
            ("estimate_distance", &[Some(a), Some(b)]) => Ok(map::distance(a, b, &self.context)),
            ("get_zipcode_based_on_city", &[Some(city)]) => Ok(map::zipcode(city)),
            ("set_navigation", &[Some(destination)]) => self.navigate(destination),
            ("check_tire_pressure", []) => self.tire_pressure(),
            ("find_nearest_tire_shop", []) => {
                Ok(dict! {"shopLocation": "456 Oakwood Avenue, Rivermist, 83214"})
            }
            _ => no_function(function),
        }
    }

    fn attributes(&self) -> Vec<(&'static str, Value)> {
        let mut attributes = vec![
            ("fuelLevel", self.fuel.clone()),
            ("batteryVoltage", self.battery.clone()),
            ("engine_state", self.engine.clone()),
            ("remainingUnlockedDoors", self.unlocked.into()),
            ("doorStatus", self.doors.clone().into()),
            ("acTemperature", self.temperature.clone()),
            ("fanSpeed", self.fan.clone()),
            ("acMode", self.mode.clone()),
            ("humidityLevel", self.humidity.clone()),
            ("headLightStatus", self.headlights.clone()),
            ("parkingBrakeStatus", self.parking_brake.clone()),
            ("brakePedalStatus", self.pedal.clone()),
            ("distanceToNextVehicle", self.next_vehicle.clone()),
            ("cruiseStatus", self.cruise.clone()),
            ("destination", self.destination.clone()),
        ];
        attributes
            .extend(TIRES.iter().zip(&self.tires).map(|((name, _), pressure)| (*name, pressure.clone())));
        attributes.push(("long_context", self.context.is_long().into()));
        attributes
    }
}
