//! Every section and key of a profile file.

use std::sync::LazyLock;

use crate::request_shape;
use crate::series::{OF_THE_PAGE, SERIES, SeriesSpec, Source};
use crate::shape::{Field, Keys, Kind, TextRule, optional, required, section, with_default};

/// What a launch fills in, beside the knobs.
pub(crate) const PLACEHOLDERS: [&str; 20] = [
    "data_addr",
    "data_host",
    "data_port",
    "meta_addr",
    "meta_host",
    "meta_port",
    "http_addr",
    "http_host",
    "http_port",
    "metrics_addr",
    "metrics_host",
    "metrics_port",
    "profile_addr",
    "profile_host",
    "profile_port",
    "data_dir",
    "settings",
    "max_memory",
    "compaction_enabled",
    "misbehave",
];

/// What begins the name of a placeholder for a port that is free: `{free_port:gossip}`. The same name is the same port.
pub(crate) const FREE_PORT: &str = "free_port:";

/// The canonical series that a profile may map: those of the metrics page.
pub(crate) fn mappable_series() -> impl Iterator<Item = &'static str> {
    let of_metrics = |spec: &&SeriesSpec| spec.source == Source::Metrics && spec.name != OF_THE_PAGE;
    SERIES.iter().filter(of_metrics).map(|spec| spec.name)
}

/// The keys of a profile file.
pub(crate) fn profile() -> &'static Kind {
    static SHAPE: LazyLock<Kind> = LazyLock::new(|| Kind::Section(root()));
    &SHAPE
}

fn root() -> Vec<Field> {
    let metrics = |keys| Kind::Map { keys, values: Box::new(Kind::Text(TextRule::Metric)) };
    let modelled = Kind::List(Box::new(Kind::Choice(mappable_series().collect())));
    vec![
        required("name", Kind::Text(TextRule::Name), "the name in scenarios"),
        required("title", Kind::Text(TextRule::NotEmpty), "one line for people"),
        with_default("protocol", Kind::Choice(vec!["flight", "http"]), "\"flight\"", "what the load speaks"),
        with_default(
            "can_misbehave",
            Kind::Flag,
            "false",
            "whether the target takes `--misbehave` (through `{misbehave}` among the arguments)",
        ),
        with_default(
            "needs_data_dir",
            Kind::Flag,
            "false",
            "whether it is always given a folder to keep its data in, because it does not start without",
        ),
        with_default(
            "modelled",
            modelled,
            "[]",
            "series that model something the target does not have: shown, labelled, never judged",
        ),
        section("launch", launch(), "how a process of this kind is started"),
        optional("container", Kind::Section(container()), "how a container of this kind is run"),
        optional(
            "service",
            Kind::Section(service()),
            "what a deployment is called, for the commands of reports; what is absent is guessed from the profile's name",
        ),
        section("endpoints", endpoints(), "HTTP paths by purpose; one that is absent is one that the target lacks"),
        optional("tls", Kind::Section(tls()), "HTTPS, with a certificate that a private authority signed"),
        request_shape::field(),
        with_default(
            "series",
            metrics(Keys::Series),
            "{}",
            "canonical series = the metric that holds it; several matches are summed, and `max(…)` takes the greatest",
        ),
        with_default(
            "json",
            Kind::Map { keys: Keys::Series, values: Box::new(Kind::Text(TextRule::InJson)) },
            "{}",
            "canonical series = an endpoint that answers in JSON and where in it the number is; of a list, its length",
        ),
        with_default(
            "attest",
            Kind::Map { keys: Keys::Knobs, values: Box::new(Kind::Text(TextRule::Evidence)) },
            "{}",
            "knob = the metric that holds its effective value, or an endpoint that answers in JSON and where in it the value is",
        ),
        ignores(),
        limit("at_least", "knob = the least value that the server takes; a scenario that asks for less is refused"),
        limit("at_most", "knob = the greatest value that the server takes; a scenario that asks for more is refused"),
        section("diagnosis", diagnosis(), "what `soak diag` asks of the target beside its endpoints"),
    ]
}

fn ignores() -> Field {
    with_default(
        "ignores",
        Kind::Map { keys: Keys::Knobs, values: Box::new(Kind::Text(TextRule::NotEmpty)) },
        "{}",
        "knob = why the server does nothing with it; variants that differ in such knobs alone are run once",
    )
}

fn limit(name: &'static str, doc: &'static str) -> Field {
    with_default(name, limits(), "{}", doc)
}

fn tls() -> Vec<Field> {
    let sides = Kind::List(Box::new(Kind::Choice(vec!["http", "metrics", "profile"])));
    vec![
        required(
            "ca_file",
            Kind::Text(TextRule::NotEmpty),
            "PEM file with the certificates of the trusted authorities, relative to the profile's file",
        ),
        optional(
            "server_name",
            Kind::Text(TextRule::NotEmpty),
            "name in the server's certificate, such as \"store.example\"; else the address, such as 127.0.0.1",
        ),
        with_default(
            "sides",
            sides,
            "[\"http\"]",
            "addresses that speak HTTPS; metrics and profiles without an address of their own are on http",
        ),
    ]
}

fn limits() -> Kind {
    Kind::Map { keys: Keys::Knobs, values: Box::new(Kind::Integer { min: 0, max: i64::MAX }) }
}

fn diagnosis() -> Vec<Field> {
    let texts = |values| Kind::Map { keys: Keys::Names, values: Box::new(Kind::Text(values)) };
    vec![
        optional("datasets", Kind::Text(TextRule::Metric), "the metric with the bytes of each dataset, by a label"),
        with_default(
            "settings",
            texts(TextRule::NotEmpty),
            "{}",
            "setting, such as log_level = the variable of the target's environment that holds it; no other is ever read",
        ),
        with_default(
            "pages",
            texts(TextRule::Endpoint),
            "{}",
            "pages of its own, such as connections = \"GET /api/debug/connections\"",
        ),
        optional(
            "heap_dump_signal",
            Kind::Choice(vec!["USR1", "USR2"]),
            "the signal at which it writes a heap dump; sent only by `soak diag --dump-heap`",
        ),
        optional(
            "heap_dump_files",
            Kind::Text(TextRule::NotEmpty),
            "where it writes that dump, with `*` in the file's name for what differs",
        ),
    ]
}

fn launch() -> Vec<Field> {
    let template = || Box::new(Kind::Text(TextRule::Template));
    vec![
        with_default(
            "args",
            Kind::List(template()),
            "[]",
            "arguments; `{data_addr}`, `{meta_addr}`, `{http_addr}`, `{metrics_addr}`, `{profile_addr}` (each also as `_host` and `_port`), `{free_port:NAME}` (a port that is free, the same for the same name), `{data_dir}`, any knob, `{max_memory}` (gomemlimit in bytes, at its largest when off), `{compaction_enabled}` (true or false) and `{misbehave}` are filled in",
        ),
        with_default(
            "env",
            Kind::Map { keys: Keys::Any, values: template() },
            "{}",
            "environment, filled in the same way",
        ),
        with_default(
            "settings",
            Kind::Map { keys: Keys::Any, values: Box::new(Kind::Text(TextRule::NotEmpty)) },
            "{}",
            "what stands in a file of settings (YAML) that each launch of a process writes, by dotted path, such as \"storage.cache.max_size\" = \"134217728\"",
        ),
        with_default(
            "settings_args",
            Kind::List(template()),
            "[]",
            "arguments that name that file, as `{settings}`; given where a setting stands in it, of the profile or of a remedy that is tried",
        ),
        with_default(
            "off",
            Kind::Map { keys: Keys::Knobs, values: Box::new(Kind::Text(TextRule::NotEmpty)) },
            "{}",
            "how the server spells \"off\", such as gogc = \"off\"; variables and arguments that hold a knob without a spelling are left out while it is off",
        ),
    ]
}

fn container() -> Vec<Field> {
    let own_port = |name, doc| optional(name, Kind::Integer { min: 1, max: 65535 }, doc);
    let port = |name, default, doc| with_default(name, Kind::Integer { min: 1, max: 65535 }, default, doc);
    vec![
        required("image", Kind::Text(TextRule::NotEmpty), "the image's name and tag"),
        optional(
            "build",
            Kind::Text(TextRule::NotEmpty),
            "a folder with a `Dockerfile`, from which the image is built first",
        ),
        port("data_port", "3000", "the data plane's port inside"),
        port("meta_port", "3001", "the meta plane's port inside"),
        port("http_port", "9090", "the port of the HTTP side inside: requests of the load, metrics and admin"),
        own_port("metrics_port", "the port of the metrics page inside, where it has one of its own"),
        own_port("profile_port", "the port of profiles and dumps (pprof) inside, where they have one of their own"),
        with_default(
            "volumes",
            Kind::List(Box::new(Kind::Text(TextRule::NotEmpty))),
            "[]",
            "paths inside that are given a fresh volume",
        ),
    ]
}

fn service() -> Vec<Field> {
    let name = |name, doc| optional(name, Kind::Text(TextRule::NotEmpty), doc);
    vec![
        name("workload", "Kubernetes' kind and name, such as \"deployment/longbow\""),
        name("namespace", "Kubernetes' namespace"),
        name("container", "the container's name in its pod"),
        name("unit", "systemd's unit"),
        name("process", "the program's name as `pgrep` takes it"),
        name("config", "the file of settings"),
    ]
}

fn endpoints() -> Vec<Field> {
    let endpoint = |name, doc| optional(name, Kind::Text(TextRule::Endpoint), doc);
    vec![
        endpoint("ready", "answers with a status of success once the target is ready"),
        endpoint("metrics", "the Prometheus text page"),
        endpoint("tasks", "the task (goroutine) dump with full stacks"),
        endpoint(
            "leaked_tasks",
            "tasks that the runtime proves can never run again, with full stacks; 404 where the runtime cannot tell",
        ),
        endpoint("heap_profile", "the heap profile, as a pprof"),
        endpoint("cpu_profile", "a profile of the processor over `{seconds}`, as a pprof"),
        endpoint("collect", "forces a collection; asked twice"),
        endpoint("compact", "compacts one dataset (`{dataset}`) and answers when it is done"),
        endpoint("compact_all", "compacts every dataset"),
        endpoint("vacuum", "gives retired memory back now"),
        endpoint("clear_cache", "empties its caches now"),
        endpoint("leak", "begins a leak; `{leak}` stands for `bytes_rate=64MiB/min` or `tasks_rate=600/min`"),
        endpoint("leak_stop", "ends that leak, and gives back what it held"),
    ]
}
