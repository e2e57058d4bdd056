//! `--limit NAME=N`: a limit of the configuration, for who wants to see it reached.

use sockless::Config;

pub(crate) const HELP: &str = "  --limit NAME=N      frame, message (bytes), fragments, empties (in a row), line, head, fields,
                      high-water (bytes of output that a Pong may come after)
";

/// Sets the limit that `text` names; `None` if it does not say which, or how much.
pub(crate) fn limit(config: &mut Config, text: &str) -> Option<()> {
    let (name, n) = text.split_once('=')?;
    match name {
        "frame" => config.max_frame = n.parse().ok()?,
        "message" => config.max_message = n.parse().ok()?,
        "fragments" => config.max_fragments = n.parse().ok()?,
        "empties" => config.max_empty_fragments = n.parse().ok()?,
        "line" => config.max_line = n.parse().ok()?,
        "head" => config.max_head = n.parse().ok()?,
        "fields" => config.max_fields = n.parse().ok()?,
        "high-water" => config.high_water = n.parse().ok()?,
        _ => return None,
    }
    Some(())
}
