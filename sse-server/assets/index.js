import { startPage } from "./page.js";
import { connect } from "./sse.js";

startPage({ connect });
