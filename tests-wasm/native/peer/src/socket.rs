//! One WebSocket to a hub.

use anyhow::Result;
use futures_util::{SinkExt, StreamExt};
use hypha_node::mesh::{HubFrame, HubId, MAX_HUB_FRAME, MeshInput};
use hypha_node::node::Input;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::driver::Inbox;

/// What is sent.
pub type Send = HubFrame;

/// Opens a socket; frames go into what is returned, and dropping it closes the socket without a word.
pub fn open(hub: HubId, url: String, protocols: Vec<String>, inbox: Inbox) -> Sender<Send> {
    let (frames, to_send) = mpsc::channel(256);
    tokio::spawn(async move {
        let (code, reason) = match run(hub, &url, &protocols, to_send, &inbox).await {
            Ok(Some(end)) => end,
            // Closed on this side.
            Ok(None) => return,
            Err(error) => (None, format!("{error:#}")),
        };
        let _ = inbox.send(Input::Mesh(MeshInput::HubClosed { hub, code, reason }));
    });
    frames
}

type End = (Option<u16>, String);

async fn run(
    hub: HubId,
    url: &str,
    protocols: &[String],
    mut to_send: Receiver<Send>,
    inbox: &Inbox,
) -> Result<Option<End>> {
    let mut request = url.into_client_request()?;
    if !protocols.is_empty() {
        request.headers_mut().insert("Sec-WebSocket-Protocol", protocols.join(", ").parse()?);
    }
    let (mut socket, _) = connect_async(request).await?;
    let _ = inbox.send(Input::Mesh(MeshInput::HubOpened { hub }));
    loop {
        let message = tokio::select! {
            frame = to_send.recv() => {
                let Some(frame) = frame else { break };
                socket.send(match frame {
                    HubFrame::Binary(bytes) => Message::binary(bytes),
                    HubFrame::Text(text) => Message::text(text),
                }).await?;
                continue;
            }
            message = socket.next() => message,
        };
        let frame = match message.transpose()? {
            Some(Message::Text(text)) if text.len() <= MAX_HUB_FRAME => HubFrame::Text(text.to_string()),
            Some(Message::Binary(bytes)) if bytes.len() <= MAX_HUB_FRAME => HubFrame::Binary(bytes.to_vec()),
            Some(Message::Close(Some(close))) => {
                return Ok(Some((Some(close.code.into()), close.reason.to_string())));
            }
            Some(Message::Close(None)) | None => return Ok(Some((None, String::new()))),
            Some(Message::Ping(_) | Message::Pong(_)) => continue,
            Some(_) => return Ok(Some((None, "the hub sent a message that is too large".to_owned()))),
        };
        let _ = inbox.send(Input::Mesh(MeshInput::HubFrame { hub, frame }));
    }
    let _ = socket.close(None).await;
    Ok(None)
}
