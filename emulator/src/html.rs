//! HTML by hand: what every page has, and escaping. Whatever came from outside is escaped.

/// Text as HTML, also within a quoted attribute.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// `?name=value&…`, ready for an attribute; what is empty is left out.
pub(crate) fn query(fields: &[(&str, &str)]) -> String {
    let mut encoded = url::form_urlencoded::Serializer::new(String::new());
    encoded.extend_pairs(fields.iter().filter(|(_, value)| !value.is_empty()));
    match encoded.finish() {
        encoded if encoded.is_empty() => encoded,
        encoded => format!("?{}", escape(&encoded)),
    }
}

/// A small page: a heading, a form, a sentence.
pub(crate) fn layout(title: &str, body: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><style>{STYLE}</style></head><body>{body}</body></html>"
    )
}

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:52rem;margin:3rem auto;padding:0 1rem;color:#222;background:#fff}\
h1{font-size:1.4rem}code,pre,input{font-family:ui-monospace,monospace}pre{background:#f4f4f4;padding:1rem;overflow:auto}\
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #ddd;vertical-align:top}\
form.card{border:1px solid #ccc;border-radius:8px;padding:1.5rem;max-width:28rem}label{display:block;margin:.6rem 0}\
input{display:block;width:100%;box-sizing:border-box;padding:.5rem;font-size:1rem}button{padding:.5rem 1.2rem;margin:.8rem .6rem 0 0;font-size:1rem}\
.error{color:#a00}.note{color:#666}iframe{width:100%;height:32rem;border:1px solid #ccc}";
