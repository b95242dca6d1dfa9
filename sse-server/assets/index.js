import { startPage } from "./page.js";
import { connect } from "./sse.js";

// An event is an id, perhaps a name, and the text: it does not have the time of its publication.
startPage({ connect, carriesTime: false });
