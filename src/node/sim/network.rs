//! What the simulated hub and the browsers' connections make of what a mesh puts out.

use super::*;

impl World {
    pub(super) fn mesh(&mut self, at: usize, output: MeshOutput) {
        match output {
            MeshOutput::Event(event) => panic!("{event:?} is the node's own"),
            MeshOutput::HubClose { hub } => {
                self.browsers[at].sockets.remove(&hub);
                self.subscribed.retain(|(node, id, _), _| (*node, *id) != (at, hub));
            }
            MeshOutput::HubOpen { hub, .. } => {
                let input = if self.hub_up {
                    self.generation += 1;
                    self.browsers[at].sockets.insert(hub, self.generation);
                    self.subscribed.insert((at, hub, self.generation), BTreeSet::new());
                    MeshInput::HubOpened { hub }
                } else {
                    MeshInput::HubClosed { hub, code: None, reason: "refused".to_owned() }
                };
                self.input(at, 15, Input::Mesh(input));
            }
            MeshOutput::HubSend { hub, frame: HubFrame::Text(text) } => {
                if let Some(generation) = self.browsers[at].sockets.get(&hub).copied() {
                    self.at_hub((at, hub, generation), &text);
                }
            }
            MeshOutput::HubSend { .. } => panic!("y-webrtc is text"),
            MeshOutput::LinkSend { link, bytes } => {
                self.browsers[at].sent += bytes.len() as u64;
                if let Some((other, end)) = self.other(at, link) {
                    self.frame(at, other, end, bytes);
                }
                self.input(
                    at,
                    5,
                    Input::Mesh(MeshInput::Rtc { link, event: RtcEvent::Buffered { bytes: 0 } }),
                );
            }
            MeshOutput::Rtc { link, command: RtcCommand::Create { polite } } => {
                let mut rtc = FakeRtc::new(&mut self.entropy);
                rtc.command(RtcCommand::Create { polite });
                self.browsers[at].rtc.insert(link, rtc);
            }
            MeshOutput::Rtc { link, command: RtcCommand::Close } => {
                let other = self.other(at, link);
                self.browsers[at].rtc.remove(&link);
                if let Some((other, link)) = other {
                    let event = RtcEvent::ChannelClosed;
                    self.input(other, 5, Input::Mesh(MeshInput::Rtc { link, event }));
                }
            }
            MeshOutput::Rtc { link, command } => {
                if let Some(rtc) = self.browsers[at].rtc.get_mut(&link) {
                    rtc.command(command);
                }
            }
            // Each browser here is another profile: no tab hears it.
            MeshOutput::TabPost { .. } => {}
            MeshOutput::RelaySend { .. } => panic!("the node makes it a frame for the hub"),
        }
    }

    /// What the hub makes of a message: it loses, changes and repeats them as the weather is, and mixes up their order.
    fn by_the_hub(&mut self, text: &str) -> Vec<(u64, String)> {
        let Weather { lost, replayed, changed, .. } = self.weather;
        if lost + replayed + changed == 0 {
            return vec![(8, text.to_owned())];
        }
        let mut out = Vec::new();
        if self.entropy.below(100) >= lost {
            let mut text = text.to_owned();
            if self.entropy.below(100) < changed {
                let start = text.find(r#""d":""#).unwrap() + 5;
                let at = start + self.entropy.below(u32::try_from(text.len() - start - 4).unwrap()) as usize;
                let other = if &text[at..=at] == "A" { "B" } else { "A" };
                text.replace_range(at..=at, other);
            }
            if self.entropy.below(100) < changed {
                // Shown in another room.
                let rooms: Vec<&String> = self.subscribed.values().flatten().collect();
                let room = rooms[self.entropy.below(u32::try_from(rooms.len()).unwrap()) as usize].clone();
                let mut message: serde_json::Value = serde_json::from_str(&text).unwrap();
                message["topic"] = room.into();
                text = message.to_string();
            }
            out.push((8 + u64::from(self.entropy.below(500)), text));
        }
        self.replays.push(text.to_owned());
        while self.entropy.below(100) < replayed {
            let old = self.entropy.below(u32::try_from(self.replays.len()).unwrap()) as usize;
            out.push((u64::from(self.entropy.below(60_000)) + 1, self.replays[old].clone()));
        }
        out
    }

    fn at_hub(&mut self, from: (usize, HubId, u64), text: &str) {
        let message: serde_json::Value = serde_json::from_str(text).unwrap();
        let reply = |world: &mut Self, (at, hub, _): (usize, HubId, u64), text: String| {
            let input = MeshInput::HubFrame { hub, frame: HubFrame::Text(text) };
            world.input(at, 8, Input::Mesh(input));
        };
        match message["type"].as_str().unwrap() {
            "ping" => reply(self, from, r#"{"type":"pong"}"#.to_owned()),
            "subscribe" => {
                let topics =
                    message["topics"].as_array().unwrap().iter().map(|t| t.as_str().unwrap().to_owned());
                self.subscribed.entry(from).or_default().extend(topics);
            }
            "unsubscribe" => {
                for topic in message["topics"].as_array().unwrap() {
                    self.subscribed.entry(from).or_default().remove(topic.as_str().unwrap());
                }
            }
            _ => {
                for (delay, text) in self.by_the_hub(text) {
                    let message: serde_json::Value = serde_json::from_str(&text).unwrap();
                    let topic = message["topic"].as_str().unwrap();
                    let to: Vec<_> = self
                        .subscribed
                        .iter()
                        .filter(|(_, topics)| topics.contains(topic))
                        .map(|((at, hub, _), _)| (*at, *hub))
                        .collect();
                    for (at, hub) in to {
                        let frame = HubFrame::Text(text.clone());
                        self.input(at, delay, Input::Mesh(MeshInput::HubFrame { hub, frame }));
                    }
                }
            }
        }
    }
}
