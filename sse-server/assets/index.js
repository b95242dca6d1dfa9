import { startPage } from "./page.js";
import { connect } from "./sse.js";

// An event is an id, perhaps a name, and the text: when it was published is not in it.
startPage({ connect, carriesTime: false });
