//! The task of one connection: it reads requests, has them answered, and tells the session its events.

use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::time::Instant;
use tracing::Span;

use super::brought::Brought;
use super::client::Client;
use super::event::Event;
use super::handover::{Answer, Held};
use super::head::{Head, Purpose};
use super::http2;
use super::reading_pace::READS;
use super::requests::{Left, serve_requests};
use super::response_head::Framing;
use super::rules;
use super::session::{Flow, Session};
use crate::admission::Place;
use crate::app::App;
use crate::error::ApiError;
use crate::metrics::End;
use crate::query::Query;
use crate::reply::{ErrorCode, Reply};
use crate::request::{Context as RequestContext, Request};
use crate::routes::{Answered, Routes, publish_whole};

/// The number of steps per turn. They are more than tokio's cooperative budget of 128, after which a busy socket
/// returns Pending, so news is looked at before the turn ends.
const STEPS: usize = 256;

/// Drives one connection to its end. It is the future of the connection's task.
pub(crate) struct Connection {
    /// Absent while hyper has it.
    client: Option<Client>,
    phase: Phase,
    app: Arc<App>,
    routes: Routes,
    /// The service was shutting down already when the client came.
    is_late: bool,
    span: Option<Box<Span>>,
    place: Place,
}

enum Phase {
    /// A request is to come.
    Request,
    /// A handler looks for the answer.
    Handler(BoxFuture<'static, Answered>),
    /// The same, for a publication: whether its publisher stays does not matter any more.
    Publishing(BoxFuture<'static, Answered>),
    /// A session answers.
    Session(Box<dyn Session>),
    /// hyper serves the connection to its end, over HTTP/2.
    Http2(BoxFuture<'static, ()>),
    /// hyper reads requests.
    Hyper(BoxFuture<'static, (Client, Left)>),
    /// The answer is given, and may still wait to be written.
    Answered,
    /// The server's side is closed, and the client's is to follow.
    Closing,
}

/// The account of a turn.
#[derive(Default)]
struct Turn {
    /// A request has begun.
    has_begun: bool,
    /// The number of times that a session's input was read.
    reads: usize,
}

/// The outcome of a step.
enum Step {
    Next(Phase),
    Stay,
    /// The next request, or the rest of the input, has its turn after other tasks.
    Yield,
    End,
}

impl Connection {
    pub(crate) fn new(client: Client, app: Arc<App>, routes: Routes, place: Place) -> Self {
        let span = tracing::debug_span!("connection", peer = %client.peer());
        let span = (!span.is_disabled()).then(|| Box::new(span));
        let is_late = !app.admission.is_open();
        let mut connection = Self { client: Some(client), phase: Phase::Answered, app, routes, is_late, span, place };
        connection.phase = connection.await_request(connection.app.config.connections.read_timeout);
        connection
    }

    /// Takes a step of a turn.
    fn step(&mut self, cx: &mut Context<'_>, turn: &mut Turn) -> Poll<Step> {
        if let Phase::Hyper(requests) = &mut self.phase {
            let (client, left) = ready!(requests.as_mut().poll(cx));
            client.listen(cx.waker());
            self.client = Some(client);
            return Poll::Ready(self.leave_hyper(left));
        }
        if let Phase::Http2(connection) = &mut self.phase {
            return connection.as_mut().poll(cx).map(|()| Step::End);
        }
        let Some(client) = &mut self.client else { return Poll::Ready(Step::End) };
        // No event comes before the client has taken what was written.
        ready!(client.poll_written());
        if client.is_gone() {
            return Poll::Ready(Step::End);
        }
        match &mut self.phase {
            Phase::Hyper(_) | Phase::Http2(_) => unreachable!("handled above"),
            // This request came together with the one before.
            Phase::Request if client.has_input() => {
                let is_next = mem::replace(&mut turn.has_begun, true);
                Poll::Ready(if is_next { Step::Yield } else { self.begin_request() })
            }
            Phase::Request => {
                let event = ready!(client.poll_event(cx, true, |_| Poll::Pending));
                Poll::Ready(self.on_request_event(event))
            }
            Phase::Handler(handler) => {
                let mut answered = None;
                let poll = |cx: &mut Context<'_>| {
                    handler.as_mut().poll(cx).map(|outcome| {
                        answered = Some(outcome);
                        Event::Done
                    })
                };
                match (ready!(client.poll_event(cx, true, poll)), answered) {
                    (Event::Done, Some(answered)) => Poll::Ready(self.answer(answered)),
                    (Event::Readable, _) => {
                        client.keep_input();
                        Poll::Ready(Step::Stay)
                    }
                    (Event::Due, _) => {
                        client.never_due();
                        Poll::Ready(Step::Stay)
                    }
                    _ => Poll::Ready(Step::Stay),
                }
            }
            Phase::Publishing(handler) => {
                let answered = ready!(handler.as_mut().poll(cx));
                Poll::Ready(self.answer(answered))
            }
            Phase::Session(session) => {
                let (takes_input, may_read) = (session.takes_input(), turn.reads < READS);
                let event = match client.poll_event(cx, takes_input && may_read, |cx| session.poll_event(cx)) {
                    Poll::Ready(event) => event,
                    Poll::Pending if takes_input && !may_read => return Poll::Ready(Step::Yield),
                    Poll::Pending => return Poll::Pending,
                };
                turn.reads += usize::from(matches!(event, Event::Readable));
                Poll::Ready(match session.on(event, client) {
                    Flow::Continue => Step::Stay,
                    Flow::Finish => {
                        client.end_in_order();
                        client.end_stay(End::Answered);
                        Step::Next(Phase::Answered)
                    }
                    Flow::Drop => Step::End,
                })
            }
            Phase::Answered if client.is_kept_alive() => Poll::Ready(Step::Next(self.await_further_request())),
            Phase::Answered => {
                if ready!(client.poll_shutdown()).is_err() {
                    return Poll::Ready(Step::End);
                }
                client.set_due(Instant::now() + self.app.config.connections.close_timeout);
                Poll::Ready(Step::Next(Phase::Closing))
            }
            // Closing a socket with unread bytes resets it, and the client would lose the end of its answer.
            Phase::Closing => match ready!(client.poll_event(cx, true, |_| Poll::Pending)) {
                Event::Due => Poll::Ready(Step::End),
                Event::Readable => {
                    client.discard_input();
                    Poll::Ready(Step::Stay)
                }
                _ => Poll::Ready(Step::Stay),
            },
        }
    }

    /// Begins to wait for a request, which has to begin in time.
    fn await_request(&mut self, within: Duration) -> Phase {
        if let Some(client) = &mut self.client {
            client.set_brought(Brought::default());
            client.set_due(Instant::now() + within);
            client.look_again();
        }
        Phase::Request
    }

    /// Begins to wait for another request on a connection that was kept open.
    fn await_further_request(&mut self) -> Phase {
        if let Some(seat) = self.client.as_ref().and_then(Client::seat) {
            seat.rest();
        }
        self.await_request(self.app.config.connections.idle_timeout)
    }

    fn on_request_event(&mut self, event: Event) -> Step {
        let Some(client) = &mut self.client else { return Step::End };
        // A request that has come by now is served, whatever the event is.
        client.keep_input();
        if client.is_gone() {
            return Step::End;
        }
        if client.has_input() {
            return Step::Stay;
        }
        match event {
            Event::Due => {
                // So that a client can tell this end from a cut.
                let _ = client.poll_shutdown();
                Step::End
            }
            // Nothing was asked, and the client had its chance before the service began to shut down.
            Event::Draining | Event::Released if !self.is_late => {
                client.set_framing(Framing::default());
                Step::Next(Phase::Answered)
            }
            _ => Step::Stay,
        }
    }

    /// Answers the request at the beginning of the input, by the short way or by hyper.
    fn begin_request(&mut self) -> Step {
        let Some(mut client) = self.client.take() else { return Step::End };
        if client.speaks_http2() {
            let (app, routes) = (Arc::clone(&self.app), self.routes.clone());
            return Step::Next(Phase::Http2(http2::serve(client, app, routes, self.place.overflow().cloned()).boxed()));
        }
        let mut unread = client.take_input().freeze();
        let max_bytes = self.app.config.input.max_head_bytes.as_u64() as usize;
        let head = Head::take(&mut unread, self.routes.of_method(), max_bytes);
        client.put_back(unread);
        let Some(Head { purpose, target, headers, version }) = head else {
            let requests =
                serve_requests(client, Arc::clone(&self.app), self.routes.clone(), self.place.overflow().cloned());
            return Step::Next(Phase::Hyper(requests.boxed()));
        };
        if let Err(error) = rules::check(version, &headers) {
            self.client = Some(client);
            return self.bad_request(&error);
        }
        let (method, answers) = (purpose.method(), purpose.is_taken_when_full(&headers));
        let overflow = self.place.overflow().map(AsRef::as_ref);
        let has_room = client.seat().is_none_or(|seat| seat.change_to(&headers));
        let admitted = self.app.admission.admit(&method, target.path(), &headers, overflow, has_room, answers);
        let sender = self.app.client_address(client.peer(), &headers);
        let context = RequestContext { version, open_to: admitted.open_to, stay: admitted.stay, client: sender };
        let query = Query::new(target.query().unwrap_or_default().to_owned());
        let request = Request::new(method, headers, query, context);
        client.set_framing(request.framing());
        client.never_due();
        self.client = Some(client);
        match admitted.refusal {
            Some(reply) => self.reply(reply),
            None => {
                let (mut handler, wait): (_, fn(_) -> Phase) = match purpose {
                    Purpose::Method(route) => (route.answer(request), Phase::Handler),
                    Purpose::Publication(body) => {
                        (publish_whole(Arc::clone(&self.app), request, body).boxed(), Phase::Publishing)
                    }
                };
                // Polled once now, so that a client that has closed its side still gets an answer that is ready at
                // once.
                match handler.as_mut().now_or_never() {
                    Some(answered) => self.answer(answered),
                    None => Step::Next(wait(handler)),
                }
            }
        }
    }

    fn answer(&mut self, answered: Answered) -> Step {
        match answered {
            Ok(Answer::Held(held)) => self.hold(held),
            Ok(Answer::Whole(reply)) => self.reply(*reply),
            Err(error) => self.reply(error.reply()),
        }
    }

    fn hold(&mut self, Held { mut session, brought }: Held) -> Step {
        if let Some(client) = &mut self.client {
            client.repeat_release();
            client.set_brought(brought);
            client.begin_stay();
            session.begin(client);
        }
        Step::Next(Phase::Session(session))
    }

    fn reply(&mut self, reply: Reply) -> Step {
        if let Some(ErrorCode(code)) = reply.error {
            self.app.metrics().rejected().count(code);
        }
        if let Some(client) = &mut self.client {
            client.answer(reply);
        }
        Step::Next(Phase::Answered)
    }

    fn leave_hyper(&mut self, left: Left) -> Step {
        let Some(client) = &mut self.client else { return Step::End };
        match left {
            Left::Held(framing, held) => {
                client.set_framing(framing);
                client.never_due();
                self.hold(held)
            }
            Left::BadRequest(error) => self.bad_request(&error),
            Left::Idle => Step::Next(self.await_further_request()),
            Left::Finished => {
                client.set_framing(Framing::default());
                Step::Next(Phase::Answered)
            }
            Left::Gone => Step::End,
        }
    }

    fn bad_request(&mut self, error: &ApiError) -> Step {
        if let Some(client) = &mut self.client {
            client.set_framing(Framing::default());
        }
        self.reply(error.reply())
    }
}

impl Future for Connection {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        let _entered = this.span.as_ref().map(|span| span.clone().entered());
        if let Some(client) = &this.client {
            client.listen(cx.waker());
        }
        if let (Some(client), Phase::Session(session)) = (&mut this.client, &this.phase)
            && client.is_asked()
            && client.answer_inquiry(session.subscriber())
        {
            return Poll::Ready(());
        }
        let mut turn = Turn::default();
        for _ in 0..STEPS {
            match ready!(this.step(cx, &mut turn)) {
                Step::Stay => {}
                Step::Yield => break,
                Step::Next(phase) => this.phase = phase,
                Step::End => return Poll::Ready(()),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

#[cfg(test)]
mod tests;
