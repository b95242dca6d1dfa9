import { startPage } from "./page.js";
import { connect } from "./poll.js";

startPage({ connect });
