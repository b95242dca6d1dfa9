//! Publishing for clients, within their rights and limits.

use shared::backplane::{Publication, PublishError, Receipt};
use shared::topic::Topic;
use tokio::time::Instant;

use super::{App, denied, span_client};
use crate::access::Access;
use crate::client_address::ClientAddress;
use crate::error::ApiError;
use crate::key_shares::UsedUp;
use crate::publish_rate::TooFast;
use crate::publisher::Publisher;
use crate::refusal::Refusal;

impl App {
    /// Fails if a client may not publish on a topic, or not now: `--publish-rate`.
    pub(crate) fn check_publish(
        &self,
        topic: &Topic,
        access: &Access,
        client: Option<ClientAddress>,
    ) -> Result<(), Refusal> {
        access.check_publish(topic).map_err(|reason| denied(reason, client))?;
        let (Some(rates), Some(publisher)) = (&self.publish_rates, publisher(access, client)) else { return Ok(()) };
        rates.check(&publisher).map_err(|TooFast { per_second, wait }| Refusal::TooFast { per_second, wait })
    }

    /// Publishes for a client, unless it may not, it publishes too fast, a message is too large, there are too many topics, or the service is
    /// shutting down.
    ///
    /// # Errors
    /// Those of a [`Refusal`].
    pub async fn publish(
        &self,
        mut publication: Publication,
        access: &Access,
        client: Option<ClientAddress>,
    ) -> Result<Receipt, ApiError> {
        let (messages, begin) = (publication.drafts.len(), Instant::now());
        let traces = self.traces.as_ref();
        let span =
            traces.map(|traces| (traces, traces.begin_publication(&mut publication, span_client(client, access))));
        let published = self.try_publish(publication, access, client).await.map_err(ApiError::from);
        match &published {
            Ok(receipt) => self.metrics.count_published(messages, receipt.repeated, begin.elapsed()),
            Err(error) => self.metrics.count_unpublished(messages, error.code()),
        }
        if let Some((traces, span)) = span {
            traces.end_publication(span, published.as_ref().map_err(ApiError::code));
        }
        published
    }

    async fn try_publish(
        &self,
        mut publication: Publication,
        access: &Access,
        client: Option<ClientAddress>,
    ) -> Result<Receipt, Refusal> {
        if !self.admission.is_open() {
            return Err(Refusal::Draining);
        }
        self.check_publish(&publication.topic, access, client)?;
        let limit = self.max_message_bytes();
        if publication.drafts.iter().any(|draft| draft.bytes() > limit) {
            return Err(Refusal::MessageTooLarge { limit });
        }
        self.check_topics([&publication.topic])?;
        let publisher = publisher(access, client);
        if let (Some(rates), Some(publisher)) = (&self.publish_rates, &publisher) {
            rates.count(publisher.clone(), publication.drafts.len());
        }
        publication.publisher = publisher.as_ref().map(|publisher| self.publisher_ids.id(publisher));
        let Some(publisher) = publisher.filter(|_| publication.key.is_some()) else {
            return Ok(self.backplane.publish(publication).await?);
        };
        if let Some(subject) = access.subject() {
            let name: Vec<&str> = [Some(subject), access.issuer()].into_iter().flatten().map(AsRef::as_ref).collect();
            publication.key = publication.key.map(|key| key.of_publisher(&name));
        }
        let share = self.key_shares.reserve(&publisher);
        publication.may_use_new_key = share.is_ok();
        let published = self.backplane.publish(publication).await;
        match share {
            Err(UsedUp { share, wait }) if matches!(published, Err(PublishError::ShareOfKeys)) => {
                return Err(Refusal::ShareOfKeys { share, wait });
            }
            // In doubt, the key may be in use.
            Ok(reserved)
                if !matches!(&published, Ok(Receipt { repeated: false, .. }) | Err(PublishError::InDoubt(_))) =>
            {
                self.key_shares.give_back(&publisher, reserved);
            }
            _ => {}
        }
        Ok(published?)
    }
}

/// The publisher by whom a client's publications are counted; `None` for a client without an address, as tests have them.
fn publisher(access: &Access, client: Option<ClientAddress>) -> Option<Publisher> {
    let subject = access.subject().cloned();
    let subject = subject.map(|subject| Publisher::Subject { subject, issuer: access.issuer().cloned() });
    subject.or_else(|| client.map(Publisher::from))
}
