//! A request template, taken apart once, so that filling it in only writes.

/// What stands in a template for something of a run, a row or a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Variable {
    /// A row's id, without quotes.
    Id,
    /// A row's name: the dataset's and its number.
    Name,
    /// A row's payload as text.
    Text,
    /// A row's vector, as a list in JSON.
    Vector,
    /// The rows of a batch, each by the template of a row.
    Rows,
    /// The ids of a batch, each as a value in JSON.
    Ids,
    /// The vectors of a batch, each as a list in JSON.
    Vectors,
    /// The dataset's name.
    Dataset,
    /// The dataset's name as every server takes it.
    Collection,
    /// The id that the server gave to the collection.
    CollectionId,
    /// Components of a vector.
    Dim,
    /// Links of a node in the index.
    HnswM,
    /// Candidates that the index looks at for one insertion.
    EfConstruction,
    /// Neighbours asked for.
    K,
    /// Rows of a page.
    Limit,
    /// Rows of the pages before.
    Offset,
    /// The last id of the page before.
    After,
    /// What the page before gave to ask for the next one, as JSON.
    Next,
}

impl Variable {
    const ALL: [(&'static str, Self); 18] = [
        ("id", Self::Id),
        ("name", Self::Name),
        ("text", Self::Text),
        ("vector", Self::Vector),
        ("rows", Self::Rows),
        ("ids", Self::Ids),
        ("vectors", Self::Vectors),
        ("dataset", Self::Dataset),
        ("collection", Self::Collection),
        ("collection_id", Self::CollectionId),
        ("dim", Self::Dim),
        ("hnsw_m", Self::HnswM),
        ("ef_construction", Self::EfConstruction),
        ("k", Self::K),
        ("limit", Self::Limit),
        ("offset", Self::Offset),
        ("after", Self::After),
        ("next", Self::Next),
    ];

    fn of(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, variable)| *variable)
    }
}

/// A part of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    /// Stands as it is.
    Text(Box<str>),
    /// Is filled in.
    Variable(Variable),
}

/// A template, in pieces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template(pub(super) Vec<Piece>);

impl Template {
    /// Takes a text apart. Braces around anything but a known variable are braces.
    pub(super) fn parse(text: &str) -> Self {
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('{') {
            plain.push_str(&rest[..at]);
            let inside = &rest[at + 1..];
            let variable = inside.split_once('}').and_then(|(name, after)| Some((Variable::of(name)?, after)));
            if let Some((variable, after)) = variable {
                if !plain.is_empty() {
                    pieces.push(Piece::Text(std::mem::take(&mut plain).into()));
                }
                pieces.push(Piece::Variable(variable));
                rest = after;
            } else {
                plain.push('{');
                rest = inside;
            }
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain.into()));
        }
        Self(pieces)
    }

    /// Whether this variable is in it.
    pub(super) fn holds(&self, variable: Variable) -> bool {
        self.0.contains(&Piece::Variable(variable))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use soak_scenario::Requests;

    #[test]
    fn braces_of_other_languages_stay() {
        let text =
            r#"{"query":"{Get{{collection}(limit:{k},nearVector:{vector:{vector}}){_additional{ id distance }}}}"}"#;
        let Template(pieces) = Template::parse(text);
        let variables: Vec<Variable> = pieces
            .iter()
            .filter_map(|piece| match piece {
                Piece::Variable(variable) => Some(*variable),
                Piece::Text(_) => None,
            })
            .collect();
        assert_eq!(variables, [Variable::Collection, Variable::K, Variable::Vector]);
        assert_eq!(pieces[0], Piece::Text(r#"{"query":"{Get{"#.into()));
    }

    #[test]
    fn every_variable_that_a_profile_may_hold_is_known() {
        let requests = ["create_collection", "create", "row", "read", "search", "delete_many", "list", "count"];
        for name in requests.into_iter().flat_map(Requests::variables) {
            assert!(Variable::of(name).is_some(), "{name}");
        }
    }
}
