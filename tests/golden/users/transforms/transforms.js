module.exports = {
  intent: (output) => JSON.parse(output).intent,
};
