//! The table of REST routes, made from the descriptors; everything that is wrong with them is found at start.

use std::collections::HashMap;
use std::sync::Arc;

use http::Method as Verb;
use prost_reflect::{DescriptorPool, FieldDescriptor, Kind, MessageDescriptor, Value};
use taskman_proto::google::api::HttpRule;
use taskman_proto::google::api::http_rule::Pattern;
use taskman_proto::options::Exposure;

use super::created::{Created, scalar_path};
use super::path::{PathSegment, decode_unreserved};
use super::template::{self, Segment, Template};
use taskman_rpc::Method;

/// The text of one variable of a path.
pub type Captured = String;

/// Where the body of a request goes.
#[derive(Debug, Clone, PartialEq)]
pub enum BodyRule {
    /// There is none.
    None,
    /// It is the request, but for what the path gives.
    All,
    /// It is one field of the request.
    Field(FieldDescriptor),
}

/// One way to call one method by REST.
#[derive(Debug)]
pub struct Binding {
    /// The method.
    pub method: Arc<Method>,
    /// The HTTP method.
    pub verb: Verb,
    /// The path.
    pub template: Template,
    /// The template as it is written, for metrics and the table of routes.
    pub pattern: String,
    /// For each variable of the template the fields that lead to its value.
    pub variables: Vec<Vec<FieldDescriptor>>,
    /// Where the body goes.
    pub body: BodyRule,
    /// The field of the response that is the body; all of it when `None`.
    pub response_body: Option<FieldDescriptor>,
    /// Where a created record is found.
    pub created: Option<Created>,
    /// The field of the answer's body that holds the version.
    pub version: Option<Vec<FieldDescriptor>>,
    /// The field of the request that holds the version which the client expects.
    pub expected_version: Option<Vec<FieldDescriptor>>,
    /// The field of the request that holds the idempotency key.
    pub request_id: Option<FieldDescriptor>,
    rank: Vec<u8>,
}

impl Binding {
    /// Says whether the body of a request is taken as the bytes that it is.
    pub fn takes_raw_body(&self) -> bool {
        let target = match &self.body {
            BodyRule::None => None,
            BodyRule::All => Some(self.method.input()),
            BodyRule::Field(field) => field.kind().as_message().cloned(),
        };
        target.is_some_and(|message| message.full_name() == super::render::HTTP_BODY)
    }
}

/// Says what is wrong with a route.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {method}: {pattern:?}: {what}")]
pub struct RouteError {
    /// The `.proto` file.
    pub file: String,
    /// The full name of the method.
    pub method: String,
    /// The template.
    pub pattern: String,
    /// What is wrong; begins with the column where the template is.
    pub what: String,
}

/// What is found at a path.
#[derive(Debug)]
pub enum Found<'t> {
    /// A route, with the text of each of its variables.
    Route(&'t Arc<Binding>, Vec<Captured>),
    /// Routes of other HTTP methods only.
    OtherMethods(Vec<Verb>),
    /// Nothing.
    Nothing,
}

/// Every route, in a tree of segments.
#[derive(Debug, Default)]
pub struct RouteTable {
    bindings: Vec<Arc<Binding>>,
    root: Node,
}

#[derive(Debug, Default)]
struct Node {
    literals: HashMap<String, Node>,
    single: Option<Box<Node>>,
    here: Vec<usize>,
    rest: Vec<usize>,
}

impl RouteTable {
    /// Makes the table of all methods that are open to the outside; FLEET methods have no routes, whatever they say.
    pub fn build(pool: &DescriptorPool, methods: impl IntoIterator<Item = Arc<Method>>) -> Result<Self, RouteError> {
        let http = pool.get_extension_by_name("google.api.http");
        let mut methods: Vec<Arc<Method>> =
            methods.into_iter().filter(|method| method.exposure() != Exposure::Fleet).collect();
        methods.sort_by_key(|method| {
            let descriptor = &method.descriptor;
            (descriptor.parent_file().name().to_owned(), descriptor.parent_service().index(), descriptor.index())
        });
        let mut table = Self::default();
        for method in methods {
            let rule =
                http.as_ref().and_then(|http| match method.descriptor.options().get_extension(http).into_owned() {
                    Value::Message(rule) if method.descriptor.options().has_extension(http) => {
                        rule.transcode_to::<HttpRule>().ok()
                    }
                    _ => None,
                });
            let Some(rule) = rule else { continue };
            for rule in std::iter::once(&rule).chain(&rule.additional_bindings) {
                table.add(bind(&method, rule)?)?;
            }
        }
        Ok(table)
    }

    /// Returns the routes in the order of their declaration.
    pub fn bindings(&self) -> &[Arc<Binding>] {
        &self.bindings
    }

    fn add(&mut self, binding: Binding) -> Result<(), RouteError> {
        let same =
            |other: &&Arc<Binding>| other.verb == binding.verb && other.template.shape() == binding.template.shape();
        if let Some(other) = self.bindings.iter().find(same) {
            let what = format!("matches the same requests as {} of {}", other.pattern, other.method.path);
            return Err(fault(&binding.method, &binding.pattern, what));
        }
        let index = self.bindings.len();
        let mut node = &mut self.root;
        for segment in &binding.template.segments {
            match segment {
                Segment::Literal(text) => node = node.literals.entry(text.clone()).or_default(),
                Segment::Single => node = node.single.get_or_insert_default(),
                Segment::Rest => break,
            }
        }
        match binding.template.segments.last() {
            Some(Segment::Rest) => node.rest.push(index),
            _ => node.here.push(index),
        }
        self.bindings.push(Arc::new(binding));
        Ok(())
    }

    /// Finds the route of a request. HEAD is answered by the route of GET.
    ///
    /// The most specific route wins (literal before `*` before `**`), then one with a verb, then the one declared first. A
    /// less specific route still answers when the more specific ones are of other HTTP methods.
    pub fn find(&self, verb: &Verb, segments: &[PathSegment<'_>]) -> Found<'_> {
        let verb = if verb == Verb::HEAD { &Verb::GET } else { verb };
        let mut found = self.candidates(segments);
        found.sort_by(|(a, a_verb), (b, b_verb)| {
            a.rank.cmp(&b.rank).then_with(|| b_verb.is_some().cmp(&a_verb.is_some()))
        });
        if let Some((binding, custom)) = found.iter().find(|(binding, _)| binding.verb == *verb) {
            return Found::Route(binding, capture(&binding.template, segments, *custom));
        }
        let mut allowed: Vec<Verb> = found.into_iter().map(|(binding, _)| binding.verb.clone()).collect();
        if allowed.contains(&Verb::GET) {
            allowed.push(Verb::HEAD);
        }
        allowed.sort_by(|a, b| a.as_str().cmp(b.as_str()));
        allowed.dedup();
        if allowed.is_empty() { Found::Nothing } else { Found::OtherMethods(allowed) }
    }

    /// Returns every route whose template matches the path, with the verb that the path then ends with.
    fn candidates<'p>(&self, segments: &[PathSegment<'p>]) -> Vec<(&Arc<Binding>, Option<&'p str>)> {
        let mut found = Vec::new();
        let whole: Vec<&str> = segments.iter().map(|segment| segment.text.as_str()).collect();
        self.walk(&self.root, &whole, None, &mut found);
        let last = segments.last().and_then(|last| Some((last, last.raw.rsplit_once(':')?)));
        if let Some((last, (front, custom))) = last
            && !front.is_empty()
        {
            // Only a colon that was sent as such starts a verb; both ends of `text` are then those of `raw`.
            let cut = last.text.rsplit_once(':').map_or(last.text.as_str(), |(front, _)| front);
            let mut shorter = whole;
            if let Some(end) = shorter.last_mut() {
                *end = cut;
            }
            self.walk(&self.root, &shorter, Some(custom), &mut found);
        }
        found
    }

    fn walk<'t, 'p>(
        &'t self,
        node: &'t Node,
        segments: &[&str],
        verb: Option<&'p str>,
        found: &mut Vec<(&'t Arc<Binding>, Option<&'p str>)>,
    ) {
        let mut take = |indices: &[usize]| {
            let bindings = indices.iter().filter_map(|index| self.bindings.get(*index));
            found.extend(bindings.filter(|b| b.template.verb.as_deref() == verb).map(|binding| (binding, verb)));
        };
        match segments {
            [] => {
                take(&node.here);
                take(&node.rest);
            }
            [first, behind @ ..] => {
                // `**` does not match the nothing behind a slash at the end.
                if !first.is_empty() || !behind.is_empty() {
                    take(&node.rest);
                }
                if let Some(next) = node.literals.get(*first) {
                    self.walk(next, behind, verb, found);
                }
                if let Some(next) = node.single.as_ref().filter(|_| !first.is_empty()) {
                    self.walk(next, behind, verb, found);
                }
            }
        }
    }
}

/// Cuts the text of each variable out of the path.
fn capture(template: &Template, segments: &[PathSegment<'_>], verb: Option<&str>) -> Vec<Captured> {
    let last = segments.len().saturating_sub(1);
    let uncolon = |index: usize, text: &str| match verb {
        Some(_) if index == last => text.rsplit_once(':').map_or(text, |(front, _)| front).to_owned(),
        _ => text.to_owned(),
    };
    let variables = template.variables.iter().map(|variable| {
        let rest = template.segments.get(variable.end - 1) == Some(&Segment::Rest);
        let end = if rest { segments.len() } else { variable.end };
        let covered = segments.iter().enumerate().take(end).skip(variable.start);
        if template.is_multi(variable) {
            let parts: Vec<String> =
                covered.map(|(index, segment)| decode_unreserved(&uncolon(index, segment.raw))).collect();
            parts.join("/")
        } else {
            covered.map(|(index, segment)| uncolon(index, &segment.text)).collect()
        }
    });
    variables.collect()
}

fn fault(method: &Method, pattern: &str, what: impl Into<String>) -> RouteError {
    let descriptor = &method.descriptor;
    RouteError {
        file: descriptor.parent_file().name().to_owned(),
        method: descriptor.full_name().to_owned(),
        pattern: pattern.to_owned(),
        what: what.into(),
    }
}

/// Checks one rule against the messages of its method.
fn bind(method: &Arc<Method>, rule: &HttpRule) -> Result<Binding, RouteError> {
    let (verb, pattern) =
        target(rule).ok_or_else(|| fault(method, "", "the rule has no HTTP method that can be served"))?;
    let refuse = |what: String| fault(method, pattern, what);
    let template = template::parse(pattern).map_err(|error| refuse(error.to_string()))?;
    let input = method.input();
    let mut variables = Vec::new();
    for variable in &template.variables {
        let name = variable.field.join(".");
        let fields = scalar_path(&input, &name).ok_or_else(|| {
            refuse(format!("column {}: {name} is not a single scalar field of the request", variable.column))
        })?;
        variables.push(fields);
    }
    let body = body_rule(rule, &input).map_err(refuse)?;
    if body != BodyRule::None && verb == Verb::GET {
        return Err(refuse("GET takes no body".to_owned()));
    }
    let response_body = match rule.response_body.as_str() {
        "" => None,
        name => {
            let field = method.descriptor.output().get_field_by_name(name);
            Some(field.ok_or_else(|| refuse(format!("response_body: {name} is not a field of the response")))?)
        }
    };
    let answer = answer_message(method, response_body.as_ref());
    let (created, version) = answer_rules(method, answer.as_ref()).map_err(refuse)?;
    let created = if verb == Verb::POST { created } else { None };
    let request_id =
        input.get_field_by_name("request_id").filter(|field| matches!(field.kind(), Kind::String) && !field.is_list());
    let expected_version = expected_version(&input, &body);
    let rank = template.segments.iter().map(|segment| match segment {
        Segment::Literal(_) => 0,
        Segment::Single => 1,
        Segment::Rest => 2,
    });
    let rank = rank.collect();
    Ok(Binding {
        method: Arc::clone(method),
        verb,
        template,
        pattern: pattern.to_owned(),
        variables,
        body,
        response_body,
        created,
        version,
        expected_version,
        request_id,
        rank,
    })
}

fn target(rule: &HttpRule) -> Option<(Verb, &str)> {
    match rule.pattern.as_ref()? {
        Pattern::Get(path) => Some((Verb::GET, path)),
        Pattern::Put(path) => Some((Verb::PUT, path)),
        Pattern::Post(path) => Some((Verb::POST, path)),
        Pattern::Delete(path) => Some((Verb::DELETE, path)),
        Pattern::Patch(path) => Some((Verb::PATCH, path)),
        Pattern::Custom(custom) => {
            let verb = Verb::from_bytes(custom.kind.as_bytes()).ok()?;
            // HEAD and OPTIONS are answered by the gateway itself.
            (verb != Verb::HEAD && verb != Verb::OPTIONS).then_some((verb, custom.path.as_str()))
        }
    }
}

fn body_rule(rule: &HttpRule, input: &MessageDescriptor) -> Result<BodyRule, String> {
    match rule.body.as_str() {
        "" => Ok(BodyRule::None),
        "*" => Ok(BodyRule::All),
        name => input
            .get_field_by_name(name)
            .map(BodyRule::Field)
            .ok_or_else(|| format!("body: {name} is not a field of the request")),
    }
}

/// Returns the message that the body of an answer is, unless it is a list or a scalar.
fn answer_message(method: &Method, response_body: Option<&FieldDescriptor>) -> Option<MessageDescriptor> {
    match response_body {
        None => Some(method.descriptor.output()),
        Some(field) if field.is_list() || field.is_map() => None,
        Some(field) => field.kind().as_message().cloned(),
    }
}

type AnswerRules = (Option<Created>, Option<Vec<FieldDescriptor>>);

fn answer_rules(method: &Method, answer: Option<&MessageDescriptor>) -> Result<AnswerRules, String> {
    let created = match (method.rules.created.as_str(), answer) {
        ("", _) => None,
        (_, None) => return Err("`created`: the body of the answer is not a message".to_owned()),
        (rule, Some(answer)) => Some(Created::parse(rule, answer)?),
    };
    let version = match (method.rules.cache.as_ref().map_or("", |cache| cache.version_field.as_str()), answer) {
        ("", _) => None,
        (_, None) => return Err("`cache`: the body of the answer is not a message".to_owned()),
        (name, Some(answer)) => Some(
            integer_path(answer, name)
                .ok_or_else(|| format!("`cache`: {name} is not an integer of the answer's body"))?,
        ),
    };
    Ok((created, version))
}

fn integer_path(desc: &MessageDescriptor, name: &str) -> Option<Vec<FieldDescriptor>> {
    let path = scalar_path(desc, name)?;
    matches!(path.last()?.kind(), Kind::Int32 | Kind::Int64).then_some(path)
}

/// Finds where a request says which version it expects: `version`, of itself or of the resource that is its body.
fn expected_version(input: &MessageDescriptor, body: &BodyRule) -> Option<Vec<FieldDescriptor>> {
    let inside = match body {
        BodyRule::Field(field) => integer_path(input, &format!("{}.version", field.name())),
        _ => None,
    };
    integer_path(input, "version").or(inside)
}

#[cfg(test)]
mod tests;
