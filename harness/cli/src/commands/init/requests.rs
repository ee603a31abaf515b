//! `[requests]` of an HTTP store that nobody knows: nobody can guess them, so they are lines for a person.

use super::FILL_IN;

/// The section, with a line to fill in for what a load cannot do without.
pub(super) fn section() -> String {
    format!(
        "\
# The requests of the load. A row is one request; {{id}} and {{name}} are the row's own, {{vector}} its components, {{dataset}} the
# collection of the run. `soak export reference` describes every key.
[requests.create]
call = \"\" # {FILL_IN}: method and path that add a row, such as \"POST /collections/{{dataset}}/points\"
body = '' # {FILL_IN}: the JSON, such as '{{\"id\":{{id}},\"vector\":{{vector}}}}'

# Searches of the load. Without them, no query phase.
# [requests.read]
# call = \"POST /collections/{{dataset}}/search\"
# body = '{{\"vector\":{{vector}},\"limit\":10}}'

# Deletes of the load. Without them, a cycle does not end as it began, and floors rise with the data.
# [requests.delete]
# call = \"DELETE /collections/{{dataset}}/points/{{id}}\"

"
    )
}
