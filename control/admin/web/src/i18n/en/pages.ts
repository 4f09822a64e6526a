// Texts of the live pages: dashboard, backends, workers, logs, explain, history.
export default {
};
