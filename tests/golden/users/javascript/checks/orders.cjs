function items(output) {
  return JSON.parse(output).items;
}

module.exports = {
  countItems: (output) => items(output).length,
  total: (output) => items(output).reduce((sum, item) => sum + item.price, 0),
};
