//! What somebody types who wants to join: a link, an invite or a code.

use super::{CodeError, InviteLink, InviteLinkError, parse_code};
use crate::collections::{find_text, split_text};
use crate::crypto::{Link, LinkError, PublicKey};

/// Where somebody wants to go.
pub enum Destination {
    /// A space to be looked up: its six words, joined by single spaces.
    Code(String),
    /// A space that lets in whoever has this.
    Invite(InviteLink),
    /// A space.
    Space(PublicKey),
}

impl Destination {
    /// Reads a link (what stands behind its key is left out), an invite or a code. Words that are separated are a code,
    /// what has `/invite/` in it is an invite, anything else a link.
    pub fn parse(text: &str) -> Result<Self, DestinationError> {
        let text = text.trim();
        if find_text(&text.to_ascii_lowercase(), "/invite/").is_some() {
            return Ok(Self::Invite(InviteLink::parse(text)?));
        }
        let (start, behind) = match split_text(text, "://") {
            Some((scheme, rest)) => (scheme.len() + 3, rest),
            None if text.contains(|c: char| c == '-' || c.is_whitespace()) => {
                return Ok(Self::Code(parse_code(text)?));
            }
            None => (0, text),
        };
        let end = behind.find('/').map_or(text.len(), |at| start + at);
        let Link(space) = Link::parse(text.get(..end).unwrap_or_default())?;
        Ok(Self::Space(space))
    }
}

/// Text that leads nowhere.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum DestinationError {
    /// Not a code.
    #[error(transparent)]
    Code(#[from] CodeError),
    /// Not an invite.
    #[error(transparent)]
    Invite(#[from] InviteLinkError),
    /// Not a link.
    #[error(transparent)]
    Link(#[from] LinkError),
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{crypto::Signer, space::space_code, testing::Seeded};

    fn seen(text: &str) -> Result<String, DestinationError> {
        Ok(match Destination::parse(text)? {
            Destination::Code(code) => code,
            Destination::Invite(link) => link.to_text().to_string(),
            Destination::Space(space) => space.to_string(),
        })
    }

    #[test]
    fn each_of_the_three_is_told_apart() {
        let space = Signer::from_seed(&[1; 32]).public();
        let link = Link(space).to_string();
        for form in [
            link.clone(),
            format!(" {link}/ "),
            format!("{link}/a/b"),
            link.to_uppercase(),
            space.to_string(),
            format!("dat://{space}/x"),
            format!("{space}/some/path"),
        ] {
            assert_eq!(seen(&form).as_deref(), Ok(space.to_string().as_str()), "{form}");
        }
        let invite = InviteLink::generate(space, &mut Seeded::new(1)).to_text();
        assert_eq!(seen(&invite).as_deref(), Ok(invite.as_str()));
        assert_eq!(seen(&invite.to_uppercase()).as_deref(), Ok(invite.as_str()));
        let code = space_code(&space).join(" ");
        assert_eq!(seen(&code).as_deref(), Ok(code.as_str()));
        assert_eq!(seen(&code.replace(' ', "-")).as_deref(), Ok(code.as_str()));
    }

    #[test]
    fn an_error_is_that_of_what_it_looks_like() {
        let error = |text: &str| seen(text).unwrap_err();
        assert!(matches!(error("hypha://abc"), DestinationError::Link(_)));
        assert!(matches!(error("abc"), DestinationError::Link(_)));
        assert!(matches!(error(""), DestinationError::Link(_)));
        assert!(matches!(error("two words"), DestinationError::Code(CodeError::Word(_))));
        assert!(matches!(error("zoom zoom"), DestinationError::Code(CodeError::Count { got: 2 })));
        assert!(matches!(error("hypha://abc/invite/def"), DestinationError::Invite(_)));
    }

    proptest! {
        #[test]
        fn any_text_is_refused_or_somewhere(text in ".{0,80}|[a-z0-9:/ -]{0,150}") {
            drop(seen(&text));
        }
    }
}
